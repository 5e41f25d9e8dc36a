// Builds a page with Vite: `node build.mjs '{"root": …}'`. A process of its own, so that the stack goes on answering.
// Plain JavaScript, so that nothing has to be loaded before it.
import { build } from "vite";

const { root, outDir, base, client } = JSON.parse(process.argv[2]);

await build({
  root,
  base,
  // What is built follows from the sources and from what the stack tells, and from no file beside them.
  configFile: false,
  envDir: false,
  logLevel: "error",
  resolve: {
    alias: [
      {
        find: /^@atomic-credits\/client\/(\w+)$/,
        replacement: `${client}/$1.ts`,
      },
      { find: "@atomic-credits/client", replacement: `${client}/index.ts` },
    ],
  },
  build: {
    outDir,
    emptyOutDir: true,
    // The Content-Security-Policy takes files of the page's own address only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
