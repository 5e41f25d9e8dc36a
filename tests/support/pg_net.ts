import { readFile } from "node:fs/promises";
import type { Sql } from "postgres";

interface QueuedRequest {
  readonly id: string;
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly timeout_milliseconds: number;
}

/** A request that was sent, and what came back: a status, or nothing. */
export interface SentRequest {
  readonly url: string;
  readonly status?: number;
}

/** Puts a stand-in for pg_net and Vault into a database, and the secrets of request_function into that. */
export async function installPgNet(
  sql: Sql,
  secrets: { functionsUrl: string; deliverySecret: string },
): Promise<void> {
  await sql.unsafe(await readFile("tests/support/pg_net.sql", "utf8"));
  await sql`insert into vault.decrypted_secrets values
    ('atomic_credits_functions_url', ${secrets.functionsUrl}),
    ('atomic_credits_delivery_secret', ${secrets.deliverySecret})`;
}

/** Does once what pg_net's worker does all the time: sends each request that was committed, once, and notes what came back. */
export async function runPgNetWorker(sql: Sql): Promise<SentRequest[]> {
  const queued = await sql<QueuedRequest[]>`
    delete from net.http_request_queue returning *`;
  const sent: SentRequest[] = [];
  for (const request of queued) {
    const { method, url, headers, body } = request;
    const signal = AbortSignal.timeout(request.timeout_milliseconds);
    try {
      const answer = await fetch(url, { method, headers, body, signal });
      await sql`insert into net._http_response (id, status_code, content, timed_out)
        values (${request.id}, ${answer.status}, ${await answer
        .text()}, false)`;
      sent.push({ url, status: answer.status });
    } catch (error) {
      await sql`insert into net._http_response (id, timed_out, error_msg)
        values (${request.id}, ${signal.aborted}, ${String(error)})`;
      sent.push({ url });
    }
  }
  return sent;
}
