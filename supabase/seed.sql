-- What a fresh local project can run at once: the transformers and workflows of examples/, written
-- by scripts/build_seed.ts. On a hosted project, run the statements you want in the SQL editor.

insert into public.transformers
  (id, type, description, config, target_function, batch_size)
values (
  'echo-transformer', 'echo',
  'Gives back what it was given',
  $json${}$json$, 'execute-echo', 100
)
on conflict (id) do nothing;

insert into public.transformers
  (id, type, description, config, target_function, batch_size)
values (
  'gemini-timestamp-transcriber', 'gemini_transcription',
  'Transcribes a recording with Google Gemini: who said what, with the start and end of each segment in seconds',
  $json${
  "model": "gemini-3.5-flash",
  "api_key_env_var": "GEMINI_API_KEY",
  "media": [
    "media",
    "audio_url"
  ],
  "storage_buckets": [
    "audio"
  ]
}$json$, 'execute-gemini-prompt', 4
)
on conflict (id) do nothing;

insert into public.transformers
  (id, type, description, config, target_function, batch_size)
values (
  'http-download', 'http_download',
  'Fetches a file or a document; JSON arrives parsed',
  $json${}$json$, 'execute-http-request', 10
)
on conflict (id) do nothing;

insert into public.transformers
  (id, type, description, config, target_function, batch_size)
values (
  'http-request', 'http_request',
  'Calls a URL: any method, headers, query and body',
  $json${}$json$, 'execute-http-request', 10
)
on conflict (id) do nothing;

insert into public.transformers
  (id, type, description, config, target_function, batch_size)
values (
  'webhook-call', 'webhook_call',
  'Delivers data to a URL by POST, with an idempotency key that stays the same on redelivery',
  $json${
  "timeout_seconds": 10
}$json$, 'execute-http-request', 10
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'audio_transcription_v1',
  'Transcribes a recording and returns its text with timestamps',
  $json${
  "start_step": "transcribe",
  "input_schema": {
    "type": "object",
    "properties": {
      "audio_url": {
        "type": "string",
        "description": "Where the recording can be fetched"
      },
      "media": {
        "type": [
          "object",
          "array"
        ],
        "description": "The recording itself {data, mime_type}, or where it lies in Storage {bucket, path}"
      }
    },
    "anyOf": [
      {
        "required": [
          "audio_url"
        ]
      },
      {
        "required": [
          "media"
        ]
      }
    ]
  },
  "steps": {
    "transcribe": {
      "transformer_id": "gemini-timestamp-transcriber",
      "input_map": {
        "audio_url": "$.job_input.audio_url?",
        "media": "$.job_input.media?"
      },
      "timeout_seconds": 120,
      "retry": {
        "max_retries": 3,
        "strategy": "exponential",
        "base_delay_seconds": 2
      },
      "next_step": null
    }
  },
  "output_map": {
    "transcript": "$.transcribe.output.transcript",
    "language": "$.transcribe.output.language?",
    "segments": "$.transcribe.output.segments",
    "usage": "$.transcribe.output.usage"
  }
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'hello_v1',
  'Says hello: the smallest workflow there is',
  $json${
  "start_step": "step1",
  "steps": {
    "step1": {
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": "$.job_input.payload"
      },
      "next_step": null
    }
  },
  "output_map": {
    "result": "$.step1.output.echoed_data"
  }
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'orders_report_v1',
  'Downloads a shop''s orders, adds them up, looks for odd ones, delivers a report',
  $json${
  "start_step": "download",
  "input_schema": {
    "type": "object",
    "required": [
      "orders_url",
      "report_url"
    ],
    "properties": {
      "orders_url": {
        "type": "string",
        "description": "Where the orders lie, as a JSON array"
      },
      "report_url": {
        "type": "string",
        "description": "Where the report is POSTed to"
      },
      "call_owner_above": {
        "type": "integer",
        "minimum": 0,
        "description": "The owner is called when there are more odd orders than this"
      }
    }
  },
  "retry": {
    "max_retries": 3,
    "base_delay_seconds": 1
  },
  "steps": {
    "download": {
      "title": "Download the orders",
      "transformer_id": "http-download",
      "config": {
        "response_type": "json"
      },
      "input_map": {
        "url": "$.job_input.orders_url"
      },
      "timeout_seconds": 30,
      "next_step": "sold"
    },
    "sold": {
      "title": "Drop cancelled orders",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "$expr": "[download.output.body[status != 'cancelled'].{'id': id, 'day': $substring(ordered_at, 0, 10), 'customer': customer.name, 'country': customer.country ?: 'unknown', 'cents': total_cents - refunded_cents}]"
        }
      },
      "next_step": "totals"
    },
    "totals": {
      "title": "Add up by country and month",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "orders": {
            "$expr": "$count(sold.output.echoed_data)"
          },
          "cents": {
            "$expr": "$sum(sold.output.echoed_data.cents) ?? 0"
          },
          "from": {
            "$expr": "sold.output.echoed_data[0].day ?? null"
          },
          "to": {
            "$expr": "sold.output.echoed_data[-1].day ?? null"
          },
          "by_country": {
            "$expr": "[$each(sold.output.echoed_data{country: {'orders': $count($), 'cents': $sum(cents)}}, function($v, $k) { $merge([{'country': $k}, $v]) })^(>cents)]"
          },
          "by_month": {
            "$expr": "[$each(sold.output.echoed_data{$substring(day, 0, 7): {'orders': $count($), 'cents': $sum(cents)}}, function($v, $k) { $merge([{'month': $k}, $v]) })^(month)]"
          }
        }
      },
      "next_step": "customers"
    },
    "customers": {
      "title": "Find the best customers",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "$expr": "[$each(sold.output.echoed_data{customer: {'orders': $count($), 'cents': $sum(cents)}}, function($v, $k) { $merge([{'customer': $k}, $v]) })^(>cents)[[0..2]]]"
        }
      },
      "next_step": "odd"
    },
    "odd": {
      "title": "Look for odd orders",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "wrong_total": {
            "$expr": "[download.output.body[$sum(items.(quantity * unit_cents)) + shipping_cents - discount_cents != total_cents].id]"
          },
          "ordered_twice": {
            "$expr": "[$each(download.output.body{customer.id & ' ' & total_cents & ' ' & $substring(ordered_at, 0, 13): [id]}, function($ids) { $count($ids) > 1 ? $join($ids, ' = ') })]"
          },
          "refunded_too_much": {
            "$expr": "[download.output.body[refunded_cents > total_cents].id]"
          },
          "bulk": {
            "$expr": "[download.output.body[items[quantity >= 100]].id]"
          },
          "no_country": "$.download.output.body[?(@.customer.country == null)].id"
        }
      },
      "next_step": "call_owner"
    },
    "call_owner": {
      "title": "Call the owner if many are odd",
      "when": "$count(odd.output.echoed_data.*) > (job_input.call_owner_above ?? 25)",
      "transformer_id": "webhook-call",
      "config": {
        "input_as": "request"
      },
      "input_map": {
        "url": "$.job_input.report_url",
        "body": {
          "urgent": true,
          "odd": "$.odd.output.echoed_data"
        }
      },
      "next_step": "deliver"
    },
    "deliver": {
      "title": "Deliver the report",
      "transformer_id": "webhook-call",
      "config": {
        "input_as": "request"
      },
      "input_map": {
        "url": "$.job_input.report_url",
        "body": {
          "subject": "Report on {{totals.output.echoed_data.orders}} orders",
          "job_id": "$.job.id",
          "totals": "$.totals.output.echoed_data",
          "customers": "$.customers.output.echoed_data",
          "odd": "$.odd.output.echoed_data"
        }
      },
      "next_step": null
    }
  },
  "output_map": {
    "headline": "{{totals.output.echoed_data.orders}} orders from {{totals.output.echoed_data.from}} to {{totals.output.echoed_data.to}}",
    "revenue": {
      "$expr": "'EUR ' & $formatNumber(totals.output.echoed_data.cents / 100, '#,##0.00')"
    },
    "by_country": {
      "$expr": "[totals.output.echoed_data.by_country.{'country': country, 'orders': orders, 'revenue': $formatNumber(cents / 100, '#,##0.00')}]"
    },
    "by_month": {
      "$expr": "[totals.output.echoed_data.by_month.{'month': month, 'orders': orders, 'revenue': $formatNumber(cents / 100, '#,##0.00')}]"
    },
    "best_customers": {
      "$expr": "[customers.output.echoed_data.{'customer': customer, 'orders': orders, 'revenue': $formatNumber(cents / 100, '#,##0.00')}]"
    },
    "odd_orders": "$.odd.output.echoed_data",
    "owner_called": {
      "$expr": "call_owner.status = 'completed'"
    },
    "delivered": "$.deliver.output.status"
  }
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'records_profile_v1',
  'Downloads any JSON array of objects and tells what is in it',
  $json${
  "start_step": "download",
  "input_schema": {
    "type": "object",
    "required": [
      "records_url"
    ],
    "properties": {
      "records_url": {
        "type": "string",
        "description": "Where the records lie, as a JSON array of objects"
      }
    }
  },
  "retry": {
    "max_retries": 3,
    "base_delay_seconds": 1
  },
  "steps": {
    "download": {
      "title": "Download the records",
      "transformer_id": "http-download",
      "config": {
        "response_type": "json",
        "max_response_bytes": 8388608
      },
      "input_map": {
        "url": "$.job_input.records_url"
      },
      "timeout_seconds": 30,
      "next_step": "check"
    },
    "check": {
      "title": "Check their shape",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "$expr": "($body := download.output.body; $found := $type($body) = 'array' ? 'array of ' & $join($distinct($map($body, $type)), ' and ') : $type($body); $found in ['array of ', 'array of object'] ? $count($body) : $error('the file must be an array of objects: current type is ' & $found))"
        }
      },
      "next_step": "columns"
    },
    "columns": {
      "title": "List the columns",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "$expr": "($body := download.output.body; [$map($keys($body), function($name) { ($values := [$lookup($body, $name)]; $types := $distinct($map($values, $type)); {'name': $name, 'type': $join($types[$ != 'null'], ' or ') ?: 'null', 'values': $count($values), 'nulls': 'null' in $types ? $count($values[$ = null]) : 0}) })])"
        }
      },
      "next_step": "numbers"
    },
    "numbers": {
      "title": "Add up the numbers",
      "when": "'number' in columns.output.echoed_data.type",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "$expr": "($body := download.output.body; [$map(columns.output.echoed_data[type = 'number'], function($c) { ($all := [$lookup($body, $c.name)]; $values := $c.nulls > 0 ? $all[$ != null] : $all; {'name': $c.name, 'min': $min($values), 'max': $max($values), 'average': $round($average($values), 2), 'sum': $round($sum($values), 2)}) })])"
        }
      },
      "next_step": "texts"
    },
    "texts": {
      "title": "Look into the texts",
      "when": "'string' in columns.output.echoed_data.type",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "$expr": "($body := download.output.body; [$map(columns.output.echoed_data[type = 'string'], function($c) { ($all := [$lookup($body, $c.name)]; $values := $c.nulls > 0 ? $all[$ != null] : $all; {'name': $c.name, 'distinct': $count($values) <= 10000 ? $count($distinct($values)) : null, 'example': $substring($values[0], 0, 40)}) })])"
        }
      },
      "next_step": null
    }
  },
  "output_map": {
    "records": "$.check.output.echoed_data",
    "columns": "$.columns.output.echoed_data",
    "numbers": "$.numbers.output.echoed_data?",
    "texts": "$.texts.output.echoed_data?"
  }
}$json$
)
on conflict (id) do nothing;
