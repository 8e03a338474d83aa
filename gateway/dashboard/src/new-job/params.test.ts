import { expect, test } from "vitest";
import type { Param } from "../lib/types";
import { defaults, toSend, wrongWith } from "./params";

const level: Param = {
  name: "level",
  type: "integer",
  required: false,
  default: 3,
  min: 1,
  max: 19,
  help: "",
};
const pattern: Param = {
  name: "pattern",
  type: "string",
  required: true,
  default: null,
  maxLength: 4,
  help: "",
};
const op: Param = {
  name: "op",
  type: "string",
  required: true,
  default: null,
  choices: ["upper", "lower"],
  help: "",
};
const invert: Param = { name: "invert", type: "boolean", required: false, default: false, help: "" };

test("the form begins with the kernel's own defaults", () => {
  expect(defaults([level, pattern, invert])).toEqual({ level: "3", pattern: "", invert: false });
});

test.each([
  [level, "3", true],
  [level, "20", false],
  [level, "1.5", false],
  [level, "x", false],
  [level, "", true],
  [pattern, "", false],
  [pattern, "äää", false],
  [pattern, "abcd", true],
  [op, "upper", true],
  [op, "UPPER", false],
  [invert, true, true],
])("%o with %s", (param, value, right) => {
  expect(wrongWith(param as Param, value as string | boolean) === "").toBe(right);
});

test("numbers are sent as numbers, empty values not at all", () => {
  expect(toSend([level, pattern, invert], { level: "7", pattern: "", invert: true })).toEqual({
    level: 7,
    invert: true,
  });
});
