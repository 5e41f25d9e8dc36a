import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { clientOf } from "./address.ts";

/** One object of a schema, as pg_dump writes it. */
export interface Part {
  /** Such as `grant_credits(uuid, bigint)`, or `TABLE credit_ledger` of a comment. */
  readonly name: string;
  readonly type: string;
  readonly schema: string;
  readonly sql: string;
}

const HEADER =
  /^--\n-- Name: (.+); Type: ([A-Z ]+); Schema: (\S+); Owner:.*\n--\n/gm;

/** The schema of a shard in the order in which it can be made. */
export async function dumpSchema(url: string): Promise<Part[]> {
  const { argument, env } = clientOf(url);
  const { stdout } = await promisify(execFile)(
    "pg_dump",
    ["--schema-only", "--schema=public", "--schema=credits", argument],
    { maxBuffer: 64 << 20, env },
  );
  return partsOf(stdout);
}

/** Splits what pg_dump prints by its headers; what stands before the first is dropped. */
export function partsOf(dump: string): Part[] {
  const headers = [...dump.matchAll(HEADER)];
  return headers.map((header, i) => {
    const [whole, name, type, schema] = header;
    const end = headers[i + 1]?.index ?? dump.length;
    const sql = dump.slice(header.index + whole.length, end)
      .replace(/^--\n-- PostgreSQL database dump complete[\s\S]*/m, "").trim();
    return { name: name!, type: type!, schema: schema!, sql };
  });
}
