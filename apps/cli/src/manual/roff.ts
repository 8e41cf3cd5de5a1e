// The few macros of man(7) that the page needs.

/** Text that roff takes literally: no escapes, no requests, hyphens and quotes that can be copied. */
export function roff(text: string): string {
  return text
    .trim()
    .replace(/\\/g, "\\e")
    .replace(/-/g, "\\-")
    .replace(/'/g, "\\(aq")
    .replace(/`/g, "\\(ga")
    .replace(/^(?=\.)/gm, "\\&");
}

export const bold = (text: string) => `\\fB${roff(text)}\\fR`;

export const section = (title: string) => `.SH ${title}\n`;

export const subsection = (title: string) => `.SS ${roff(title)}\n`;

export const paragraph = (...words: string[]) => `.PP\n${words.join(" ")}\n`;

export const tagged = (tag: string, text: string) => `.TP\n${bold(tag)}\n${roff(text)}\n`;

/** Lines that stay as they are; trailing and leading blank ones go. */
export function preformatted(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim());
  return `.PP\n.nf\n${lines.map(roff).join("\n")}\n.fi\n`;
}
