// How npm test sums up.

/** `12 passed, 0 failed`, and `, 3 skipped` where some were. */
export function countLine({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

/** Nothing failed, and something ran. */
export function isSuccess({ passed, failed }) {
  return failed === 0 && passed > 0;
}
