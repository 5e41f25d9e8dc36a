-- Gives: the bucket of outputs, made when everything else is there.
-- Keeps: Storage waits for a policy, so its table is locked for the end of the migration alone.
-- Needs: outputs.

do $$
begin
  perform credits.storage_set_up();
end;
$$;
