-- What a fresh local project can run at once. On a hosted project, run the statements you want in
-- the SQL editor.

insert into public.transformers (id, type, description, config, target_function, batch_size)
values
  ('echo-transformer', 'echo', 'Gives back what it was given', '{}', 'execute-echo', 100)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values
  ('hello_v1', 'Says hello: the smallest workflow there is', $json$
{
  "start_step": "step1",
  "steps": {
    "step1": {
      "transformer_id": "echo-transformer",
      "input_map": { "data": "$.job_input.payload" },
      "next_step": null
    }
  },
  "output_map": { "result": "$.step1.output.echoed_data" }
}
  $json$)
on conflict (id) do nothing;
