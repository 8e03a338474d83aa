// REST, with the login's cookie. Whatever goes wrong becomes an ApiError with words for people.
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
  const headers: Record<string, string> = { "X-ShadowWork": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const init: RequestInit = { method, headers, credentials: "same-origin" };
  if (body !== undefined) init.body = JSON.stringify(body);
  let answer: Response;
  try {
    answer = await fetch(path, init);
  } catch {
    throw new ApiError(0, "unreachable", "The gateway does not answer.");
  }
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok || json.success === false)
    throw new ApiError(
      answer.status,
      json.error?.code ?? "failed",
      json.error?.message ?? `HTTP ${answer.status}`,
    );
  return json as T;
}

export const words = (problem: unknown) => (problem instanceof Error ? problem.message : String(problem));
