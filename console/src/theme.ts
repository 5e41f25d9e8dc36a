import { defaultTheme, type RaThemeOptions } from "react-admin";

/** react-admin's, with colours that everybody can read (WCAG AA). */
export const THEME: RaThemeOptions = {
  ...defaultTheme,
  palette: {
    ...defaultTheme.palette,
    primary: { main: "#0d47a1" },
    secondary: { main: "#263238" },
    error: { main: "#b71c1c" },
    text: { primary: "rgba(0, 0, 0, 0.9)", secondary: "rgba(0, 0, 0, 0.68)" },
  },
};
