import { commandsOf, pageBlocks } from "./page_blocks.ts";

/** A command of the pages that no test runs as it is. */
export interface LeftOut {
  /** How it begins. */
  readonly begins: string;
  readonly why: string;
  /** What does the same, or comes nearest to it. */
  readonly instead?: string;
}

/** Each is on some page, or the test fails: this list grows by nobody's mistake. */
export const LEFT_OUT: readonly LeftOut[] = [
  {
    begins: "npm start",
    why: "runs until it is stopped",
    instead: "tests/start.test.ts",
  },
  {
    begins: "npm run shards",
    why: "needs several databases and PL/Proxy",
    instead: "tests/shards/growth.test.ts",
  },
  { begins: "npm test", why: "is what runs this" },
  {
    begins: "npm run client",
    why: "takes its own files' time",
    instead: "tests/client/package.test.ts",
  },
  {
    begins: "npm pack ./dist/client",
    why: "leaves a file in this folder",
    instead: "tests/client/page.test.ts",
  },
  {
    begins: "npm install @supabase/supabase-js",
    why: "fetches from npm",
    instead: "tests/client/page.test.ts",
  },
  {
    begins: "cp -r examples/app",
    why: "writes beside this folder",
    instead: "tests/client/package.test.ts",
  },
  {
    begins: "npm run dev",
    why: "runs until it is stopped, in a copy of examples/app",
    instead: "tests/client/package.test.ts",
  },
  {
    begins: "node --env-file=../atomic-credits/.env.local try.mjs",
    why: "needs that package",
    instead: "tests/client/page.test.ts",
  },
  {
    begins: "npm install --save-dev",
    why: "fetches from npm",
    instead: "tests/installer/empty_project.test.ts",
  },
  { begins: "git pull", why: "there is nothing to pull in a test" },
  {
    begins: "npm run release",
    why: "fixes this project's release",
    instead: "tests/release/release.test.ts",
  },
  { begins: ".ci/run", why: "is what runs this" },
  { begins: "git add", why: "commits what a release wrote" },
  { begins: "git commit", why: "commits what a release wrote" },
  { begins: "npx supabase login", why: "needs an account" },
  { begins: "npx supabase link", why: "needs a hosted project" },
  {
    begins: "npx supabase functions deploy",
    why: "needs the platform",
    instead: "tests/installer/empty_project.test.ts",
  },
  { begins: "npx supabase secrets set", why: "needs the platform" },
  {
    begins: "npx supabase db dump",
    why: "needs pg_dump",
    instead: "scripts/test/restore.ts",
  },
  {
    begins: "psql",
    why: "psql need not be here",
    instead: "scripts/test/restore.ts",
  },
  {
    begins: "npm run adopt",
    why: "changes a whole database",
    instead: "tests/adopt/existing.test.ts",
  },
  {
    begins: "npm run verify",
    why: "takes its own file's time",
    instead: "tests/verify.test.ts",
  },
  {
    begins: "npm run console",
    why: "takes its own file's time",
    instead: "tests/console_command.test.ts",
  },
  {
    begins: "npm run bench",
    why: "takes minutes and pgbench",
    instead: "tests/bench.test.ts",
  },
  {
    begins: "npm run prices",
    why: "needs a list of prices",
    instead: "tests/prices.test.ts",
  },
  {
    begins: "npm run payments",
    why: "needs an account at Stripe",
    instead: "tests/payments_command.test.ts",
  },
  {
    begins: "prometheus",
    why: "is a program of its own",
    instead: "scripts/test/prometheus.ts",
  },
];

/** What the pages show that no command here prints: the beginning of the block, and what holds it. */
export const SHOWN_ELSEWHERE: Readonly<Record<string, string>> = {
  "cost 500, balance 4500": "tests/client/page.test.ts",
  "POST <url>/rest/v1/rpc/evaluate_alerts": "tests/alerts.test.ts",
  "target = round(credits": "tests/payments_model.test.ts",
};

/** Every command of the pages, with its block. */
export const commands = pageBlocks.filter(({ language }) => language === "sh")
  .flatMap((block) => commandsOf(block).map((command) => ({ block, command })));

/** What a command is left out for; undefined where it is not. */
export function leftOut(command: string): LeftOut | undefined {
  return LEFT_OUT.find(({ begins }) =>
    command === begins || command.startsWith(`${begins} `)
  );
}

/** The commands of a form, each once, however many pages have it. */
export function commandsLike(pattern: RegExp): string[] {
  const like = commands.map(({ command }) => command)
    .filter((command) => pattern.test(command));
  return [...new Set(like)];
}

/** The forms of commands that are run. */
export const RUN = {
  installer: /^npx atomic-credits(?:@latest)? (\w+)(.*)$/,
  push: /^npx supabase db push --remote\S*( --include-all)?$/,
  copy: /^cp supabase\/migrations\/\*\.sql <your project>/,
  build: /^npm run (installer|bundle)$/,
  request: /^curl /,
};

/** What the pages show, by how it begins, that a test of these files compares. */
export const COMPARED = {
  init: "Install Atomic Credits",
  layout: "supabase/schemas      the SQL",
  reconciliation: '[{"accounts":',
};

/** The block of a page that begins so. */
export function shownAs(beginning: string): string {
  return pageBlocks.find(({ text }) => text.startsWith(beginning))!.text;
}
