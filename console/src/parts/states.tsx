import Alert from "@mui/material/Alert";
import AlertTitle from "@mui/material/AlertTitle";
import Button from "@mui/material/Button";
import LinearProgress from "@mui/material/LinearProgress";
import Typography from "@mui/material/Typography";
import type { ReactNode } from "react";
import { inWords } from "../data/problem.ts";

export function Loading() {
  return <LinearProgress aria-label="Loading" />;
}

export function Empty({ children }: { children: ReactNode }) {
  return (
    <Typography color="text.secondary" sx={{ p: 2 }}>{children}</Typography>
  );
}

/** What failed, what to do, and the button that tries again. */
export function Failure(
  { error, retry }: { error: unknown; retry?: () => void },
) {
  const { what, todo } = inWords(error);
  return (
    <Alert
      severity="error"
      sx={{ my: 1 }}
      action={retry && (
        <Button color="inherit" size="small" onClick={retry}>Try again</Button>
      )}
    >
      <AlertTitle>{what}</AlertTitle>
      {todo}
    </Alert>
  );
}
