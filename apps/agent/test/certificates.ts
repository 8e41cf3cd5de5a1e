import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** A certificate that is its own authority, for two days, and its key, in files of this folder; without `names` it names nobody. */
export function makeCertificate(
  folder: string,
  name: string,
  names = "DNS:lab.example,IP:127.0.0.1",
): { cert: string; key: string } {
  const [cert, key] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
  const subject = ["-subj", `/CN=${name}`, ...(names ? ["-addext", `subjectAltName=${names}`] : [])];
  const asked = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", ...subject];
  execFileSync("openssl", [...asked, "-days", "2", "-keyout", key, "-out", cert], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  return { cert, key };
}
