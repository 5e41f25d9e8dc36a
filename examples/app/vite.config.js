import { defineConfig } from "vite";

// JSX needs no plugin: Vite itself turns it into calls of React, as tsconfig.json says.
export default defineConfig({
  // Files of their own, so that the page needs no exception in a strict Content-Security-Policy.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
