import type { ComponentProps } from "react";
import { classNames } from "./class-names.ts";

const LOOKS = {
  plain: "border-edge/60 bg-raised hover:bg-hover",
  quiet: "border-transparent text-muted hover:bg-hover hover:text-ink",
  primary: "border-accent bg-accent text-on-accent hover:opacity-90",
  danger: "border-alarm/60 bg-raised text-alarm hover:bg-alarm-soft",
  "danger-primary": "border-alarm bg-alarm text-on-alarm hover:opacity-90",
};

interface ButtonProps extends ComponentProps<"button"> {
  look?: keyof typeof LOOKS;
  /** The key that does the same, shown on hover. */
  shortcut?: string;
}

export function Button({ look = "plain", shortcut, className, title, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      className={classNames(
        "inline-flex h-7 shrink-0 items-center justify-center gap-1.5 rounded-md border px-2.5 font-medium whitespace-nowrap select-none disabled:pointer-events-none disabled:opacity-45",
        LOOKS[look],
        className,
      )}
      title={shortcut ? `${title ? `${title} ` : ""}(${shortcut})` : title}
      {...rest}
    />
  );
}
