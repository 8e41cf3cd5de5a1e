/** What the sanitizers print when they have found something. */
export const SANITIZER_REPORT = /ERROR: (Address|Leak)Sanitizer|runtime error:|WARNING: ThreadSanitizer|FATAL:/;
