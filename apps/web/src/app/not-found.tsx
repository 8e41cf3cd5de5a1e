import Link from "next/link";

export default function NotFound() {
  return (
    <main className="px-4 py-10">
      <h1 className="text-lg font-medium">There is no such page</h1>
      <p className="mt-1 text-muted">
        What is lent right now is on{" "}
        <Link href="/" className="link">
          the first page
        </Link>
        .
      </p>
    </main>
  );
}
