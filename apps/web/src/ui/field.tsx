import type { ComponentProps, ReactNode } from "react";
import { classNames } from "./class-names.ts";

const INPUT = "min-w-0 rounded-md border border-edge/70 bg-raised px-2 placeholder:text-muted disabled:opacity-45";

/** A labelled control with a word of explanation. */
export function Field({ label, hint, children }: { label: string; hint?: ReactNode; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child
    <label className="grid gap-1">
      <span className="font-medium">{label}</span>
      {children}
      {hint && <span className="text-muted">{hint}</span>}
    </label>
  );
}

export function TextInput({ className, isLow = false, ...rest }: ComponentProps<"input"> & { isLow?: boolean }) {
  return (
    <input
      autoComplete="off"
      spellCheck={false}
      className={classNames(INPUT, isLow ? "h-7" : "h-8", className)}
      {...rest}
    />
  );
}

interface ChoiceProps<Value extends string> {
  legend: string;
  isLegendHidden?: boolean;
  value: Value;
  options: readonly { value: NoInfer<Value>; label: string; disabled?: boolean; title?: string }[];
  onChange(value: NoInfer<Value>): void;
}

/** One of a few, all of them in sight. */
export function Choice<Value extends string>({
  legend,
  isLegendHidden = false,
  value,
  options,
  onChange,
}: ChoiceProps<Value>) {
  return (
    <fieldset className="min-w-0">
      <legend className={isLegendHidden ? "sr-only" : "mb-1 font-medium"}>{legend}</legend>
      <div className="inline-flex max-w-full flex-wrap gap-1">
        {options.map((option) => (
          <label
            key={option.value}
            title={option.title}
            className="flex h-7 items-center rounded-md border border-edge/60 px-2.5 whitespace-nowrap has-checked:border-accent has-checked:bg-accent-soft has-checked:text-accent has-disabled:opacity-45 has-focus-visible:outline-2 has-focus-visible:outline-offset-1 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name={legend}
              className="sr-only"
              checked={option.value === value}
              disabled={option.disabled}
              onChange={() => onChange(option.value)}
            />
            {option.label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

export function CheckBox({
  checked,
  onChange,
  children,
}: {
  checked: boolean;
  onChange(checked: boolean): void;
  children: ReactNode;
}) {
  return (
    <label className="flex items-center gap-2">
      <input type="checkbox" className="size-4 accent-accent" checked={checked} onChange={() => onChange(!checked)} />
      <span>{children}</span>
    </label>
  );
}
