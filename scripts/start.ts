import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { banner, environmentFile } from "./stack/banner.ts";
import { claimHome } from "./stack/claim.ts";
import { demoUser } from "./stack/demo.ts";
import { errorCode, StackFailure } from "./stack/failure.ts";
import { openHome, projectHome, removeHome } from "./stack/home.ts";
import { type Stack, startStack } from "./stack/index.ts";
import { stopOrphan } from "./stack/postgres.ts";

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

/** Forgets a home's data and keys; its owner has been claimed and its server stopped. */
function reset(home: string): void {
  removeHome(home);
  rmSync(join(project, ".env.local"), { force: true });
  claimHome(home);
}

/** Stops everything on the first signal, also one that comes while it still starts. */
function stopOnSignal(running: Promise<Stack>): void {
  let stopping = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, async () => {
      if (stopping) return;
      stopping = true;
      console.log(`\n${signal}: stopping …`);
      await running.then((stack) => stack.stop(), () => {});
      process.exit(0);
    });
  }
}

async function welcome(stack: Stack): Promise<void> {
  const user = await demoUser(stack);
  saveEnvironment(stack);
  console.log(banner(stack, user));
  await Promise.race([stack.database.ended, stack.functions.ended]);
  if (stack.stopping) return;
  throw new StackFailure(
    "Postgres or the edge functions ended unexpectedly: start again with npm start.",
  );
}

async function main(): Promise<void> {
  const flags = readFlags();
  if (flags.help) return console.log(HELP);
  const ports = {
    port: port(flags.port, "--port"),
    dbPort: port(flags["db-port"], "--db-port"),
  };
  claimHome(flags.home);
  stopOrphan(openHome(flags.home));
  if (flags.reset) reset(flags.home);

  const running = startStack({
    ...{ project, home: flags.home, ...ports },
    progress: (line) => console.log(line),
    log: (line) => console.error(line),
  });
  stopOnSignal(running);
  const stack = await running;
  try {
    await welcome(stack);
  } finally {
    await stack.stop();
  }
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error instanceof StackFailure ? error.message : error);
    process.exit(1);
  },
);
