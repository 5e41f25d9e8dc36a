import { rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { banner, environmentFile } from "./stack/banner.ts";
import { claimHome } from "./stack/claim.ts";
import { buildConsoleBeside } from "./stack/console.ts";
import { demoModel, demoSale, demoUser } from "./stack/demo.ts";
import { demoOperator } from "./stack/demo_operator.ts";
import { errorCode, StackFailure } from "./stack/failure.ts";
import { emptyHome, openHome, projectHome } from "./stack/home.ts";
import { type Stack, startStack } from "./stack/index.ts";
import { stopOrphan } from "./stack/postgres.ts";
import { parseFlags, type Terminal } from "./terminal.ts";

const HELP =
  `Starts Atomic Credits on this machine: Postgres, Data API, Auth and the edge functions.

npm start -- [options]
  --port <n>      port of the API (54321)
  --db-port <n>   port of the database (54322)
  --home <path>   folder for the database and keys
  --reset         forget all data and begin anew
  --help          this text`;

const project = process.cwd();
let stopping = false;

function port(text: string, flag: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= 65535) return value;
  throw new StackFailure(
    `${flag} ${text} is no port: pass a number from 0 to 65535.`,
  );
}

function readFlags(terminal: Terminal) {
  return parseFlags(HELP, terminal, {
    options: {
      port: { type: "string", default: "54321" },
      "db-port": { type: "string", default: "54322" },
      home: { type: "string", default: projectHome(project) },
      reset: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  }).values;
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

/** Forgets a home's data and keys, whose server has been stopped. */
function reset(home: string): void {
  emptyHome(home);
  rmSync(join(project, ".env.local"), { force: true });
}

/** Stops everything on the first signal, also one that comes while it still starts. */
function stopOnSignal(running: Promise<Stack>): void {
  const stop = async (reason: string) => {
    if (stopping) return;
    stopping = true;
    console.log(`\n${reason}: stopping …`);
    await running.then((stack) => stack.stop(), () => {});
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, stop);
  }
  onParentEnd(() => stop("npm has ended"));
  // Printing into a closed pipe (npm start | head) must not end it halfway.
  process.stdout.on("error", () => stop("Nobody reads the output"));
}

/**
 * npm passes SIGTERM to its shell alone, which ends without telling its child:
 * the child sees it by its new parent.
 */
function onParentEnd(act: () => void): void {
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) act();
  }, 500).unref();
}

async function welcome(stack: Stack, home: string): Promise<void> {
  const [user] = await Promise.all([
    demoUser(stack),
    demoModel(stack),
    // Builds the page, where that is yet to be done: half a second in a process of its own.
    fetch(stack.url),
  ]);
  const sale = await demoSale(stack, user);
  const operator = await demoOperator(stack);
  saveEnvironment(stack);
  console.log(banner(stack, user, { sale, operator }));
  // Only now: it takes the processor for a while, and nothing waits for it.
  process.once("exit", buildConsoleBeside(project, home, console.log));
  await Promise.race([stack.database.ended, stack.functions.ended]);
  if (stack.stopping) return;
  throw new StackFailure(
    "Postgres or the edge functions ended unexpectedly: start again with npm start.",
  );
}

/** Runs the stack until something ends it. */
async function serve(flags: ReturnType<typeof readFlags>): Promise<void> {
  const ports = {
    port: port(flags.port, "--port"),
    dbPort: port(flags["db-port"], "--db-port"),
  };
  const home = resolve(flags.home);
  claimHome(home);
  stopOrphan(openHome(home));
  if (flags.reset) reset(home);

  const running = startStack({
    project,
    home,
    ...ports,
    progress: (line) => console.log(line),
    log: (line) => console.error(line),
  });
  stopOnSignal(running);
  const stack = await running;
  try {
    await welcome(stack, home);
  } finally {
    await stack.stop();
  }
}

/** Starts the stack; ends the process with it, also if something still keeps it. */
export async function main(terminal: Terminal): Promise<number> {
  const flags = readFlags(terminal);
  if (flags.help) {
    console.log(HELP);
    return 0;
  }
  try {
    await serve(flags);
    process.exit(0);
  } catch (error) {
    // The Ctrl-C that ended a child is heard only after the child's failure.
    await new Promise(setImmediate);
    // The signal that stops it ends the process.
    if (stopping) return await new Promise(() => {});
    console.error(error instanceof StackFailure ? error.message : error);
    process.exit(1);
  }
}
