import Button from "@mui/material/Button";
import Dialog from "@mui/material/Dialog";
import DialogActions from "@mui/material/DialogActions";
import DialogContent from "@mui/material/DialogContent";
import DialogContentText from "@mui/material/DialogContentText";
import DialogTitle from "@mui/material/DialogTitle";
import useMediaQuery from "@mui/material/useMediaQuery";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { wantsSecondFactor } from "../data/problem.ts";
import { useData, useOperator } from "../parts/operator.tsx";
import { Failure } from "../parts/states.tsx";
import type { ActionButtonProps } from "./button.tsx";
import { Done, Limits, SecondFactorFirst } from "./answers.tsx";
import { Fields } from "./fields.tsx";
import { argumentsOf, faultsOf, type Result, type Written } from "./spec.ts";

/**
 * Asks what and why, sends it, and shows the answer. Its key is made when it opens, and stays: a double click or
 * another try after an answer that was lost does nothing twice.
 */
export function ActionDialog(
  { action, fixed, initial, close }: ActionButtonProps & { close: () => void },
) {
  const { operator } = useOperator();
  const data = useData();
  const queries = useQueryClient();
  const narrow = useMediaQuery("(max-width: 600px)");
  const [key] = useState(() => crypto.randomUUID());
  const [written, setWritten] = useState<Written>(() => ({
    ...Object.fromEntries(
      action.fields.map(({ name, initial = "" }) => [name, initial]),
    ),
    ...initial,
  }));
  const [tried, setTried] = useState(false);
  const sending = useMutation({
    mutationFn: () =>
      data.call<Result>(action.name, {
        ...fixed,
        ...argumentsOf(action, written),
        p_reason: written.reason!.trim(),
        p_idempotency_key: key,
      }),
    retry: false,
  });
  // Only now is the page read again: the button that opened this may be gone by then, and the answer with it.
  const leave = () => {
    close();
    if (!sending.isIdle) queries.invalidateQueries();
  };
  const faults = faultsOf(action, written);
  const send = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(faults).length === 0 && !sending.isPending) {
      sending.mutate();
    }
  };
  const needsSecond = operator?.aal !== "aal2" ||
    wantsSecondFactor(sending.error);

  return (
    <Dialog
      open
      fullWidth
      fullScreen={narrow}
      onClose={() => sending.isPending || leave()}
      aria-labelledby="action"
    >
      <DialogTitle id="action">{action.title}</DialogTitle>
      <form onSubmit={send} noValidate>
        <DialogContent>
          {sending.data
            ? <Done result={sending.data} />
            : needsSecond
            ? <SecondFactorFirst />
            : (
              <>
                <DialogContentText sx={{ mb: 1 }}>
                  {action.explains}
                </DialogContentText>
                <Fields
                  action={action}
                  written={written}
                  faults={tried ? faults : {}}
                  disabled={sending.isPending}
                  write={(name, text) =>
                    setWritten((before) => ({ ...before, [name]: text }))}
                />
                <Limits operator={operator!} action={action} />
                {sending.error && <Failure error={sending.error} />}
              </>
            )}
        </DialogContent>
        <DialogActions>
          <Button onClick={leave} disabled={sending.isPending}>
            {sending.data ? "Close" : "Cancel"}
          </Button>
          {!sending.data && !needsSecond && (
            <Button
              type="submit"
              variant="contained"
              disabled={sending.isPending}
            >
              {sending.error ? "Try again" : "Do it"}
            </Button>
          )}
        </DialogActions>
      </form>
    </Dialog>
  );
}
