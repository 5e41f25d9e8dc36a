import { invalidRequest } from "./problem.ts";

/**
 * The header Idempotency-Key, if there is one.
 *
 * @throws {Problem} 400 `invalid_request` for one that is not 1 to 255 printable ASCII characters
 */
export function readIdempotencyKey(headers: Headers): string | undefined {
  const key = headers.get("idempotency-key");
  if (key === null) return undefined;
  if (/^[\x20-\x7e]{1,255}$/.test(key)) return key;
  const message = "must be 1 to 255 printable ASCII characters";
  throw invalidRequest(`The header Idempotency-Key ${message}.`, [
    { field: "Idempotency-Key", message },
  ]);
}
