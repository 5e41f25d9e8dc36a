import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { hasBrowser, openBrowser } from "../tests/support/browser.ts";
import { demoModel, demoSale, demoUser } from "./stack/demo.ts";
import { type Stack, startStack } from "./stack/index.ts";
import { parseFlags, type Terminal } from "./terminal.ts";
import { fillHome } from "./test/template.ts";

const FILE = join("docs", "page.png");

const HELP = `npm run picture

Takes README's picture of the page that npm start shows, into ${FILE}.
Chromium must be there (apt-get install chromium).

  --help  this text`;

/** Takes the picture, on a stack of its own. */
export async function main(terminal: Terminal): Promise<number> {
  const { console } = terminal;
  const options = { help: { type: "boolean" } } as const;
  if (parseFlags(HELP, terminal, { options }).values.help) {
    console.log(HELP);
    return 0;
  }
  if (!hasBrowser()) throw new Error("There is no Chromium: install it first.");
  const home = await mkdtemp(join(tmpdir(), "atomic-credits-picture-"));
  try {
    await fillHome(home, "migrated");
    const stack = await startStack({
      project: process.cwd(),
      home,
      port: 0,
      dbPort: 0,
      migrated: true,
    });
    await takePicture(stack).finally(() => stack.stop());
  } finally {
    await rm(home, { recursive: true, force: true });
  }
  console.log(`wrote ${FILE}`);
  return 0;
}

async function takePicture(stack: Stack): Promise<void> {
  await demoModel(stack);
  await demoSale(stack, await demoUser(stack));
  const browser = await openBrowser();
  try {
    const page = await browser.newPage({
      viewport: { width: 1060, height: 720 },
      deviceScaleFactor: 1.25,
      reducedMotion: "reduce",
    });
    await page.goto(stack.url);
    await page.getByRole("button", { name: "demo user" }).click();
    await fillHistory(page);
    await page.screenshot({ path: FILE });
  } finally {
    await browser.close();
  }
}

/** A purchase, a text, a generation that fails, and one that is shown. */
async function fillHistory(page: Page): Promise<void> {
  const press = (name: string | RegExp) =>
    page.getByRole("button", { name }).click();
  await press(/^1,000 credits/);
  await press("Pay");
  await page.getByRole("link", { name: "Back to the app" }).click();
  await page.getByText("Thank you").waitFor();
  await page.reload();
  await page.getByText("Text", { exact: true }).click();
  await press(/^Generate/);
  await page.getByText("It cost 1 credit.").waitFor();
  await page.getByText("Picture", { exact: true }).click();
  await press("One that fails");
  await page.getByText("It failed. You have your credits back.").waitFor();
  await press("Generate for 500 credits");
  await page.getByText("It cost 500 credits.").waitFor();
  await page.getByRole("banner").getByText("5,499").waitFor();
  await page.mouse.move(0, 0);
  await page.evaluate("document.activeElement.blur(); scrollTo(0, 0)");
}
