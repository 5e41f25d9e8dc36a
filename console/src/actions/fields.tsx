import MenuItem from "@mui/material/MenuItem";
import Stack from "@mui/material/Stack";
import TextField from "@mui/material/TextField";
import { ROLES } from "../parts/operator.tsx";
import { ZONE } from "../parts/format.ts";
import { type Action, type Field, LEAST_REASON, type Written } from "./spec.ts";

interface FieldsProps {
  readonly action: Action;
  readonly written: Written;
  readonly faults: Readonly<Record<string, string>>;
  readonly disabled: boolean;
  readonly write: (name: string, text: string) => void;
}

/** The action's own fields, then the reason. */
export function Fields(props: FieldsProps) {
  const { action, written, faults, disabled, write } = props;
  const common = (name: string, help?: string) => ({
    fullWidth: true,
    size: "small" as const,
    disabled,
    name,
    value: written[name] ?? "",
    error: name in faults,
    helperText: faults[name] ?? help,
    onChange: (event: { target: { value: string } }) =>
      write(name, event.target.value),
  });
  return (
    <Stack spacing={2} sx={{ my: 1 }}>
      {action.fields.map((field, position) => (
        <OneField
          key={field.name}
          field={field}
          first={position === 0}
          common={common(field.name, helpOf(field))}
        />
      ))}
      <TextField
        {...common(
          "reason",
          `At least ${LEAST_REASON} characters. The customer's history shows it.`,
        )}
        label="Reason"
        multiline
        minRows={2}
        required
        autoFocus={action.fields.length === 0}
      />
      {action.confirm && (
        <TextField
          {...common("confirm", "Nobody can take it back.")}
          label={`Type ${action.confirm} to go on`}
          required
        />
      )}
    </Stack>
  );
}

function helpOf({ kind, help }: Field): string | undefined {
  return help ?? (kind === "time" ? `In ${ZONE}` : undefined);
}

function OneField(
  { field, first, common }: {
    field: Field;
    first: boolean;
    common: object;
  },
) {
  const { label, kind, optional } = field;
  const own = { ...common, label, required: !optional, autoFocus: first };
  if (kind === "role") {
    return (
      <TextField {...own} select>
        {ROLES.map((role) => (
          <MenuItem key={role} value={role}>{role}</MenuItem>
        ))}
      </TextField>
    );
  }
  if (kind === "time") {
    return (
      <TextField
        {...own}
        type="datetime-local"
        slotProps={{ inputLabel: { shrink: true } }}
      />
    );
  }
  return (
    <TextField
      {...own}
      autoComplete="off"
      slotProps={{
        htmlInput: kind === "credits" ? { inputMode: "numeric" } : {},
      }}
    />
  );
}
