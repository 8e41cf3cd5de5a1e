import type { Role, Scope } from "@lendbuf/shared/role";

export const ROLE_CHOICES: readonly { value: Role; label: string; title: string }[] = [
  { value: "viewer", label: "Viewer", title: "Sees who has what, and borrows nothing" },
  { value: "member", label: "Member", title: "Borrows, and ends what is its own" },
  { value: "operator", label: "Operator", title: "Also ends what others have" },
  { value: "admin", label: "Admin", title: "Also says who may do what" },
];

export const SCOPE_CHOICES: readonly { value: Scope; label: string; title: string }[] = [
  { value: "calendar", label: "Calendar", title: "Subscribes to the calendar, and is good for nothing else" },
  { value: "read", label: "Look", title: "Sees who has what" },
  { value: "lend", label: "Borrow", title: "Also borrows, and ends what is its own" },
  { value: "operate", label: "Operate", title: "Also ends what others have, where its account may" },
];
