// How one logs in: a token or the one-time code of a link becomes a cookie that scripts cannot read.
import { api } from "./api";
import type { Login } from "./types";

export async function whoAmI(): Promise<Login | null> {
  return (await api<{ login: Login | null }>("GET", "/api/login")).login;
}

export async function logIn(secret: { token: string } | { code: string }): Promise<Login> {
  return (await api<{ login: Login }>("POST", "/api/login", secret)).login;
}

export const logOut = () => api("POST", "/api/logout");

/** The code of `/#login=CODE`, taken out of the address at once so that nobody reads it there. */
export function takeCode(): string | null {
  const match = /^#login=([\w-]+)$/.exec(location.hash);
  if (!match?.[1]) return null;
  history.replaceState(null, "", location.pathname);
  return match[1];
}
