import { connect, liftTimeLimit } from "../connect.ts";
import { type Check, check } from "./check.ts";
import type { Options } from "./options.ts";
import type { Project } from "./project.ts";

const TITLE = "verify_deployment() runs";

/** The rows of verify_deployment(), over the Data API or the connection that was given. */
export async function checkDatabase(
  project: Project,
  { databaseUrl }: Options,
): Promise<Check[]> {
  if (databaseUrl) return await readDirectly(databaseUrl);
  const { status, body } = await project.call(
    "/rest/v1/rpc/verify_deployment",
    { body: {} },
  );
  if (status === 200 && Array.isArray(body)) return body;
  return [
    check(
      TITLE,
      false,
      `${status} ${body?.message ?? body?.code ?? ""}`,
      remedyFor(status),
    ),
  ];
}

function remedyFor(status: number): string {
  if (status === 401 || status === 403) {
    return "Pass the project's own --secret-key.";
  }
  if (status === 404) {
    return "Apply the migrations: npx supabase db push --remote, or the file of npm run bundle.";
  }
  return "Read the database's log. If it took too long, pass --db-url.";
}

/** The same over a connection. */
export async function readDirectly(databaseUrl: string): Promise<Check[]> {
  const sql = connect(databaseUrl);
  try {
    await liftTimeLimit(sql);
    return await sql<Check[]>`select * from public.verify_deployment()`;
  } catch (error) {
    return [
      check(
        TITLE,
        false,
        (error as Error).message,
        "Check --db-url, and apply the migrations.",
      ),
    ];
  } finally {
    await sql.end({ timeout: 5 });
  }
}
