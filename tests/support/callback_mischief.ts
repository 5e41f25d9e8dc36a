import { expect } from "vitest";
import type { CallbackFunctions } from "./callback_functions.ts";
import type { Chance } from "./adversity.ts";
import { sql } from "./database.ts";
import { UNHURRIED_PLAN } from "./plans.ts";
import type { Message, Prediction, Voice } from "./callback_server.ts";
import { createUser } from "./user.ts";

/** What the provider was given, and the job that it is for. */
export type Job = Prediction & { readonly jobId: string };
/** How a job may end. */
export type Status = "succeeded" | "failed" | "expired" | "canceled";

/** What a provider does with one job, and how the job must end. */
export interface Mischief {
  readonly play: (job: Job, send: Send) => Promise<unknown>;
  /** One of these: where callbacks race, any may be the first. */
  readonly ends: readonly Status[];
}
/** Sends a callback; the status of the answer. */
export type Send = (message: Message) => Promise<number>;

const AT_ONCE = 10;

/**
 * All that a provider may do wrong, by its name.
 *
 * @param internalUrl an address that nobody may be led to
 */
export function mischief(
  { provider, voice, submit, ask }: CallbackFunctions,
  internalUrl: string,
  random: Chance,
): Record<string, Mischief> {
  const { saying, signed } = voice;
  const picture = (path: string) => provider.picture(path);
  const done = (job: Job, output: unknown = [picture("pixel")]) =>
    saying(job, "succeeded", output);

  /** A job that succeeds with this output, which is unusable. */
  /** Called again where it is answered 503, as a provider does: a busy machine may not get to the file in time. */
  const badOutput = (output: () => unknown): Mischief => ({
    play: async (job, send) => {
      const message = done(job, output());
      for (let time = 0; time < 5 && await send(message) === 503; time++);
    },
    ends: ["failed"],
  });

  /** Asks until the job has ended: another's ask may have taken it, and be at it still. */
  const askToItsEnd = ({ jobId }: Job) =>
    expect.poll(async () => {
      await ask(jobId);
      const [job] = await sql`
        select status from public.generation_jobs where id = ${jobId}`;
      return job!.status;
    }, { timeout: 20_000 }).not.toBe("running");

  /** A job whose picture is out of reach for now: the provider is to call again. */
  const unreachable = (path: string): Mischief => ({
    play: async (job, send) => {
      expect(await send(done(job, [picture(path)]))).toBe(503);
      expect(await send(done(job))).toBe(200);
    },
    ends: ["succeeded"],
  });

  return {
    "repeats": {
      play: async (job, send) => {
        const message = done(job);
        for (let time = 0; time < 3; time++) await send(message);
        await Promise.all(Array.from({ length: 3 }, () => send(done(job))));
      },
      ends: ["succeeded"],
    },
    "repeats at once": {
      play: (job, send) => {
        const message = done(job);
        return Promise.all(
          Array.from({ length: AT_ONCE }, () => send(message)),
        );
      },
      ends: ["succeeded"],
    },
    "goes on after the end": {
      play: async (job, send) => {
        await send(done(job));
        for (const status of ["processing", "starting", "failed", "canceled"]) {
          await send(saying(job, status));
        }
      },
      ends: ["succeeded"],
    },
    "succeeds after it has failed": {
      play: async (job, send) => {
        await send(saying(job, "failed"));
        await send(done(job));
        await send(saying(job, "processing"));
      },
      ends: ["failed"],
    },
    "says everything at once": {
      play: (job, send) => {
        const statuses = ["processing", "succeeded", "failed", "canceled"];
        return Promise.all(
          Array.from({ length: AT_ONCE }, () => {
            const status = random.any(statuses);
            return send(
              saying(
                job,
                status,
                status === "succeeded" ? [picture("pixel")] : null,
              ),
            );
          }).concat(send(done(job))),
        );
      },
      ends: ["succeeded", "failed"],
    },
    "comes late": {
      play: async (job, send) => {
        await send(saying(job, "processing"));
        await sweep(job);
        for (const late of [done(job), saying(job, "failed"), done(job)]) {
          await send(late);
        }
      },
      ends: ["expired"],
    },
    "comes while it is swept": {
      play: (job, send) => Promise.all([sweepOrNot(job), send(done(job))]),
      ends: ["succeeded", "expired"],
    },
    "comes while it is canceled": {
      play: (job, send) =>
        Promise.all([
          sql`select public.cancel_generation(${job.jobId})`,
          send(done(job)),
          send(saying(job, "processing")),
        ]),
      ends: ["succeeded", "canceled"],
    },
    "is lost, and told when it is asked": {
      play: async (job, send) => {
        provider.says.set(job.id, {
          status: "succeeded",
          output: [picture("pixel")],
        });
        await askToItsEnd(job);
        await send(saying(job, "failed"));
      },
      ends: ["succeeded"],
    },
    "fails when it is asked, and succeeds in its callback": {
      play: async (job, send) => {
        provider.says.set(job.id, { status: "failed" });
        await askToItsEnd(job);
        await send(done(job));
      },
      ends: ["failed"],
    },
    "says anything when it is asked, while it calls back": {
      play: (job, send) => {
        provider.says.set(job.id, {
          status: random.any(
            ["succeeded", "failed", "processing", "unknown"] as const,
          ),
          output: [picture("pixel")],
        });
        return Promise.all([
          ask(job.jobId),
          send(done(job)),
          ask(job.jobId),
          send(saying(job, "failed")),
        ]);
      },
      ends: ["succeeded", "failed"],
    },
    "does not stop when it is canceled, and succeeds": {
      play: async (job, send) => {
        await sql`select public.cancel_generation(${job.jobId})`;
        provider.cancels.set(job.id, random.any(["later", "broken", "reset"]));
        await ask(job.jobId);
        await send(done(job));
      },
      ends: ["succeeded"],
    },
    "is forged": {
      play: async (job, send) => {
        for (const message of forged(job, voice)) {
          expect(await send(message)).toBeGreaterThanOrEqual(400);
        }
        await send(done(job));
      },
      ends: ["succeeded"],
    },
    "is forged, and nothing true comes": {
      play: async (job, send) => {
        for (const message of forged(job, voice)) await send(message);
        await sweep(job);
      },
      ends: ["expired"],
    },
    "is replayed at another job's address": {
      play: async (job, send) => {
        const user = await createUser({ plan: UNHURRIED_PLAN });
        const prompt = `replayed ${job.jobId}`;
        const other = await submit(user, { prompt });
        const { headers, body } = done(other);
        expect(await send({ address: job.webhook, headers, body })).toBe(404);
        expect(await send({ address: other.webhook, headers, body })).toBe(200);
        expect(await send({ address: job.webhook, headers, body })).toBe(404);
        await send(saying(job, "failed"));
      },
      ends: ["failed"],
    },
    "has the old secret": {
      play: (job, send) =>
        send(signed(job.webhook, String(done(job).body), { by: "old" })),
      ends: ["succeeded"],
    },
    "makes no sense": {
      play: async (job, send) => {
        for (const body of ["", "[", "{}", '{"id":1,"status":[]}']) {
          expect(await send(signed(job.webhook, body))).toBe(400);
        }
        await send(saying(job, "aborted"));
      },
      ends: ["failed"],
    },
    "has no output": badOutput(() => null),
    "has an empty list of pictures": badOutput(() => []),
    "has output that is no address": badOutput(
      () => [{ a: 1 }, 7, "no address"],
    ),
    "links inwards": badOutput(() => [internalUrl]),
    "links to metadata": badOutput(() => ["http://169.254.169.254/latest"]),
    "links to a file": badOutput(() => "file:///etc/passwd"),
    "links to a picture in the address": badOutput(() =>
      "data:image/png;base64,iVBORw0KGgo="
    ),
    "links past its own host": badOutput(() =>
      picture("pixel").replace("http://", `http://${host(voice)}@`) + "#" +
      internalUrl
    ),
    "links to a host with its ending": badOutput(() =>
      `https://evil${host(voice)}/picture.png`
    ),
    "redirects inwards": badOutput(() => [picture(`redirect?${internalUrl}`)]),
    "has lost the picture": badOutput(() => [picture("missing")]),
    "has a picture that is none": badOutput(() => [picture("text")]),
    "has a picture of 51 megabytes": badOutput(() => [picture("large")]),
    "cannot show the picture yet": unreachable("broken"),
    "is asked too often for the picture": unreachable("busy"),
    "hangs up on the picture": unreachable("reset"),
  };
}

async function sweep({ jobId }: Job): Promise<void> {
  await sql`update public.generation_jobs set deadline_at = now() where id = ${jobId}`;
  await expect.poll(async () => {
    await sql`select public.sweep_overdue_jobs()`;
    const [job] = await sql`
      select status from public.generation_jobs where id = ${jobId}`;
    return job!.status;
  }).toBe("expired");
}

/** Where the provider itself keeps what it made. */
const host = ({ provider }: Voice) =>
  provider === "fal" ? "fal.media" : "replicate.delivery";

const forged = (job: Job, { provider, saying, signed }: Voice): Message[] => {
  const good = saying(job, "succeeded");
  const body = String(good.body);
  const old = new Date(Date.now() - 360_000);
  return [
    { ...good, headers: {} },
    { ...good, body: `${body} ` },
    signed(job.webhook, body, { by: "stranger" }),
    signed(job.webhook, body, { sentAt: old }),
    { ...good, address: job.webhook.replace(/token=.*/, "token=AAAA") },
    { ...good, address: job.webhook.replace(`/${provider}`, "/placeholder") },
    signed(job.webhook, "x".repeat(2 ** 20 + 1)),
  ];
};

async function sweepOrNot({ jobId }: Job): Promise<void> {
  await sql`update public.generation_jobs set deadline_at = now() where id = ${jobId}`;
  await sql`select public.sweep_overdue_jobs()`;
}
