import { existsSync } from "node:fs";
import { type Browser, chromium, type Page } from "playwright-core";

/** Debian's package chromium, or what machines of GitHub have. */
const PROGRAM = ["/usr/bin/chromium", "/usr/bin/google-chrome"]
  .find((program) => existsSync(program));

/** Whether there is a real browser. */
export function hasBrowser(): boolean {
  return PROGRAM !== undefined;
}

/** Starts a browser that shows nothing on a screen, and asks nobody but those whom its pages ask. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath: PROGRAM,
    // Its sandbox refuses root, as who containers run.
    chromiumSandbox: process.getuid?.() !== 0,
  });
}

/** A picture as it is shown. */
export interface Shown {
  width: number;
  height: number;
  /** Red, green and blue of its middle. */
  colour: number[];
}

/** Opens an address in a browser of its own, and looks at the picture there. */
export async function lookAt(url: string): Promise<Shown> {
  const browser = await openBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(url);
    return await look(page);
  } finally {
    await browser.close();
  }
}

/** What a page shows: the size of its first picture, and the colour of its middle. */
export function look(page: Page): Promise<Shown> {
  return page.evaluate(async () => {
    // deno-lint-ignore no-explicit-any
    const document = (globalThis as any).document;
    const [image] = document.images;
    await image.decode();
    const canvas = document.createElement("canvas");
    const { naturalWidth: width, naturalHeight: height } = image;
    Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(width / 2, height / 2, 1, 1);
    return { width, height, colour: [...data].slice(0, 3) };
  });
}
