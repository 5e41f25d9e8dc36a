import Button from "@mui/material/Button";
import { useState } from "react";
import { useMay } from "../parts/operator.tsx";
import { ActionDialog } from "./dialog.tsx";
import type { Action, Written } from "./spec.ts";

export interface ActionButtonProps {
  readonly action: Action;
  /** Arguments that this place knows. */
  readonly fixed: Readonly<Record<string, unknown>>;
  /** What stands in the fields at first. */
  readonly initial?: Written;
  readonly danger?: boolean;
}

/** Opens an action's dialog; who may not has no button. */
export function ActionButton(props: ActionButtonProps) {
  const { action, danger } = props;
  const [open, setOpen] = useState(false);
  if (!useMay(action.name)) return null;
  return (
    <>
      <Button
        size="small"
        variant="outlined"
        color={danger ? "error" : "primary"}
        onClick={() => setOpen(true)}
      >
        {action.title}
      </Button>
      {open && <ActionDialog {...props} close={() => setOpen(false)} />}
    </>
  );
}
