export function Wordmark() {
  return (
    <span className="inline-flex items-center gap-2 font-semibold tracking-tight">
      <svg width="14" height="14" viewBox="0 0 16 16" aria-hidden className="text-accent">
        <path d="M1 1h5v14H1zM8 1h7v5H8z" fill="currentColor" />
        <path d="M8.75 8.75h5.5v5.5h-5.5z" fill="none" stroke="currentColor" strokeWidth="1.5" />
      </svg>
      Lendbuf
    </span>
  );
}
