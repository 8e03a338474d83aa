// The form's values against the kernel's declaration, before anything is sent. Pure.
import type { Param } from "../lib/types";

export type Values = Record<string, string | boolean>;

export const defaults = (params: readonly Param[]): Values =>
  Object.fromEntries(
    params.map((param) => [
      param.name,
      param.type === "boolean" ? param.default === true : String(param.default ?? ""),
    ]),
  );

/** What is wrong with one value, or "". */
export function wrongWith(param: Param, value: string | boolean | undefined): string {
  if (param.type === "boolean") return "";
  const text = String(value ?? "");
  if (text === "") return param.required ? "needed" : "";
  if (param.choices && !param.choices.includes(text)) return `one of ${param.choices.join(", ")}`;
  if (param.type === "integer") {
    const number = Number(text);
    const { min = -Infinity, max = Infinity } = param;
    if (!Number.isInteger(number) || number < min || number > max) return `a whole number, ${min} to ${max}`;
  }
  if (param.maxLength !== undefined && new TextEncoder().encode(text).length > param.maxLength)
    return `at most ${param.maxLength} bytes`;
  return "";
}

/** As REST wants them: empty ones are left out, numbers are numbers. */
export function toSend(params: readonly Param[], values: Values): Record<string, unknown> {
  const sent: Record<string, unknown> = {};
  for (const param of params) {
    const value = values[param.name];
    if (value === undefined || value === "") continue;
    sent[param.name] = param.type === "integer" ? Number(value) : value;
  }
  return sent;
}
