import type { Param } from "../lib/types";
import { wrongWith } from "./params";

const BOX = "rounded border border-line bg-page px-2 py-1.5";

/** One parameter, drawn from its declaration. */
export function ParamField({
  param,
  value,
  onChange,
}: {
  param: Param;
  value: string | boolean | undefined;
  onChange: (value: string | boolean) => void;
}) {
  const wrong = wrongWith(param, value);
  const id = `param-${param.name}`;
  if (param.type === "boolean")
    return (
      <label className="flex items-center gap-2 text-sm">
        <input
          type="checkbox"
          checked={value === true}
          onChange={(event) => onChange(event.target.checked)}
        />
        {param.name} <span className="text-quiet">{param.help}</span>
      </label>
    );
  return (
    <div className="grid gap-1 text-sm">
      <label htmlFor={id}>
        {param.name} <span className="text-quiet">{param.help}</span>
      </label>
      {param.choices ? (
        <select
          id={id}
          className={BOX}
          value={String(value)}
          onChange={(event) => onChange(event.target.value)}
        >
          {!param.choices.includes(String(value)) && <option value="">choose…</option>}
          {param.choices.map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      ) : (
        <input
          id={id}
          className={BOX}
          value={String(value)}
          inputMode={param.type === "integer" ? "numeric" : "text"}
          aria-invalid={wrong !== ""}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
      {wrong && <span className="text-bad">{wrong}</span>}
    </div>
  );
}
