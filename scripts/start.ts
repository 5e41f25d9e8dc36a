import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { banner, environmentFile } from "./stack/banner.ts";
import { demoUser } from "./stack/demo.ts";
import { errorCode, StackFailure } from "./stack/failure.ts";
import { projectHome, removeHome } from "./stack/home.ts";
import { freePort, type Stack, startStack } from "./stack/index.ts";
import { claimHome } from "./stack/claim.ts";

const HELP =
  `Starts Atomic Credits on this machine: Postgres, Data API, Auth and the edge functions.

npm start -- [options]
  --port <n>      port of the API (54321)
  --db-port <n>   port of the database (54322)
  --home <path>   folder for the database and keys
  --reset         forget all data and begin anew
  --help          this text`;

const project = process.cwd();

function port(text: string, flag: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65535) return value;
  throw new StackFailure(
    `${flag} ${text} is no port: pass a number from 0 to 65535.`,
  );
}

function readFlags() {
  try {
    return parseArgs({
      options: {
        port: { type: "string", default: "54321" },
        "db-port": { type: "string", default: "54322" },
        home: { type: "string", default: projectHome(project) },
        reset: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    }).values;
  } catch (error) {
    throw new StackFailure(`${(error as Error).message}\n\n${HELP}`);
  }
}

function saveEnvironment(stack: Stack): void {
  const file = join(project, ".env.local");
  try {
    writeFileSync(file, environmentFile(stack), { mode: 0o600 });
  } catch (error) {
    throw new StackFailure(
      `Cannot write ${file} (${
        errorCode(error)
      }): give this user write permission there.`,
    );
  }
}

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags.help) return console.log(HELP);
  const ports = {
    port: port(flags.port, "--port"),
    dbPort: port(flags["db-port"], "--db-port"),
  };
  await freePort(ports.port, "--port");
  await freePort(ports.dbPort, "--db-port");
  if (flags.reset) await resetHome(flags.home);

  let stack: Stack | undefined;
  let signalled = false;
  const end = async (signal: NodeJS.Signals) => {
    if (signalled) return;
    signalled = true;
    if (!stack) return;
    console.log(`\n${signal}: stopping …`);
    await stack.stop();
    process.exit(0);
  };
  process.on("SIGINT", end);
  process.on("SIGTERM", end);
  process.on("SIGHUP", end);

  claimHome(flags.home);
  stack = await startStack({
    ...{ project, home: flags.home, ...ports },
    progress: (line) => console.log(line),
    log: (line) => console.error(line),
  });
  try {
    if (signalled) return await stack.stop();
    const user = await demoUser(stack);
    saveEnvironment(stack);
    console.log(banner(stack, user));
    stack.database.ended.then(async () => {
      if (signalled) return;
      console.error(
        "Postgres has ended unexpectedly: start again with npm start.",
      );
      await stack?.stop();
      process.exit(1);
    });
  } catch (error) {
    await stack.stop();
    throw error;
  }
}

async function resetHome(home: string): Promise<void> {
  claimHome(home);
  const { stopOrphan } = await import("./stack/postgres.ts");
  if (existsSync(home)) stopOrphan({ path: home }, join(home, "data"));
  removeHome(home);
  rmSync(join(project, ".env.local"), { force: true });
}

main().catch((error) => {
  console.error(error instanceof StackFailure ? error.message : error);
  process.exit(1);
});
