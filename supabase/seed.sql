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
  'print-shop', 'hand_over',
  'Hands a task over to a print shop with its token; needs an executor of yours, see docs/executors.md',
  $json${
  "url": "https://print-shop.example/orders"
}$json$, 'execute-hand-over', 10
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

insert into public.transformers
  (id, type, description, config, target_function, batch_size)
values (
  'wording-check', 'wording_check',
  'Looks for words that must not be printed; needs an executor of yours, see docs/executors.md',
  $json${
  "banned": [
    "leverage",
    "synergy"
  ]
}$json$, 'execute-wording-check', 10
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'article_review_v1',
  'Checks each part of an article in another way before it is published',
  $json${
  "start_step": "slug",
  "retry": {
    "max_retries": 0
  },
  "steps": {
    "slug": {
      "title": "Its address: a regular expression",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "$expr": "$replace($lowercase(job_input.title), ' ', '-')"
        }
      },
      "validate": {
        "type": "regex",
        "value": "$.output.echoed_data",
        "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"
      },
      "next_step": "tags"
    },
    "tags": {
      "title": "Its tags: a JSON Schema",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": "$.job_input.tags"
      },
      "validate": {
        "type": "json_schema",
        "schema": {
          "properties": {
            "echoed_data": {
              "type": "array",
              "items": {
                "type": "string"
              },
              "minItems": 1,
              "maxItems": 5
            }
          }
        }
      },
      "next_step": "teaser"
    },
    "teaser": {
      "title": "Its teaser: an expression; one that is too long is cut",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": "$.job_input.teaser"
      },
      "validate": {
        "type": "expression",
        "expression": "$length(output.echoed_data) <= 40",
        "next_step_on_fail": "cut"
      },
      "next_step": "wording"
    },
    "cut": {
      "type": "transform",
      "output": {
        "echoed_data": {
          "$expr": "$substring(teaser.output.echoed_data, 0, 40)"
        }
      },
      "next_step": "wording"
    },
    "wording": {
      "title": "Its wording: a function that answers { pass, notes }",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": "$.job_input.text"
      },
      "validate": {
        "type": "function",
        "transformer_id": "wording-check",
        "input_map": {
          "text": "$.output.echoed_data"
        }
      },
      "next_step": "layout"
    },
    "layout": {
      "title": "Its layout: a person",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": "<h1>{{job_input.title}}</h1>"
      },
      "validate": {
        "type": "manual",
        "title": "Does {{job_input.title}} look good?",
        "details": {
          "html": "$.output.echoed_data"
        },
        "timeout_seconds": 86400,
        "next_step_on_fail": "sent_back"
      },
      "next_step": null
    },
    "sent_back": {
      "type": "succeed",
      "output": {
        "published": false,
        "notes": "$.layout.error.details.notes"
      }
    }
  },
  "output_map": {
    "published": true,
    "slug": "$.slug.output.echoed_data",
    "teaser": {
      "$expr": "cut.output.echoed_data ?? teaser.output.echoed_data"
    }
  }
}$json$
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
  'customer_sync_v1',
  'Syncs a customer: one job at a time for each customer, and so many starts a second in all',
  $json${
  "start_step": "sync",
  "input_schema": {
    "type": "object",
    "required": [
      "customer_id"
    ],
    "properties": {
      "customer_id": {
        "type": "string"
      }
    }
  },
  "concurrency": {
    "max_running": 1,
    "key": "$.job_input.customer_id"
  },
  "rate_limit": {
    "max_starts": 20,
    "per_seconds": 1
  },
  "steps": {
    "sync": {
      "transformer_id": "echo-transformer",
      "config": {
        "delay_ms": 200
      },
      "input_map": {
        "data": "Synced {{job_input.customer_id}}"
      },
      "next_step": null
    }
  },
  "output_map": "$.sync.output.echoed_data"
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'export_poll_v1',
  'Asks for an export again and again until it is ready, with a budget of steps',
  $json${
  "start_step": "ask",
  "max_step_visits": 30,
  "input_schema": {
    "type": "object",
    "required": [
      "ready_after",
      "every_seconds"
    ],
    "properties": {
      "ready_after": {
        "type": "integer",
        "description": "How often to ask until it is"
      },
      "every_seconds": {
        "type": "number",
        "minimum": 0
      }
    }
  },
  "steps": {
    "ask": {
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "asked": {
            "$expr": "(ask.output.echoed_data.asked ?? 0) + 1"
          },
          "ready": {
            "$expr": "(ask.output.echoed_data.asked ?? 0) + 1 >= job_input.ready_after"
          }
        }
      },
      "next_step": "ready"
    },
    "ready": {
      "type": "choice",
      "choices": [
        {
          "when": "ask.output.echoed_data.ready",
          "next_step": "done"
        }
      ],
      "default": "pause"
    },
    "pause": {
      "type": "wait",
      "seconds": "$.job_input.every_seconds",
      "next_step": "ask"
    },
    "done": {
      "type": "succeed",
      "output": {
        "asked": "$.ask.output.echoed_data.asked"
      }
    }
  }
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'feed_import_v1',
  'Imports a feed; a missing one is a result, and whatever else fails is reported',
  $json${
  "start_step": "download",
  "input_schema": {
    "type": "object",
    "required": [
      "feed_url",
      "report_url"
    ],
    "properties": {
      "feed_url": {
        "type": "string"
      },
      "report_url": {
        "type": "string"
      }
    }
  },
  "retry": {
    "max_retries": 1,
    "base_delay_seconds": 0
  },
  "steps": {
    "download": {
      "transformer_id": "http-download",
      "input_map": {
        "url": "$.job_input.feed_url"
      },
      "config": {
        "response_type": "json"
      },
      "on_error": [
        {
          "errors": [
            "http_4xx"
          ],
          "next_step": "no_feed"
        }
      ],
      "next_step": "count"
    },
    "count": {
      "type": "transform",
      "output": {
        "$expr": "$type(download.output.body) = 'array' ? $count(download.output.body) : $error('the feed is no list')"
      },
      "next_step": null
    },
    "no_feed": {
      "type": "succeed",
      "output": {
        "imported": 0,
        "feed": false
      }
    },
    "report": {
      "title": "Whatever else fails: the error handler of the workflow",
      "transformer_id": "webhook-call",
      "config": {
        "input_as": "request"
      },
      "input_map": {
        "url": "$.job_input.report_url",
        "body": {
          "job_id": "$.job.id",
          "download": "$.download.error?",
          "count": "$.count.error?"
        }
      },
      "next_step": "give_up"
    },
    "give_up": {
      "type": "fail",
      "code": "feeds.not_imported",
      "message": {
        "$expr": "count.error.message ?? download.error.message"
      }
    }
  },
  "on_error": "report",
  "output_map": {
    "imported": "$.count.output",
    "feed": true
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
  'image_batch_v1',
  'Makes thumbnails of images, two at a time; up to half of them may be unusable',
  $json${
  "start_step": "each",
  "input_schema": {
    "type": "object",
    "required": [
      "images",
      "width"
    ],
    "properties": {
      "width": {
        "type": "integer",
        "minimum": 1
      },
      "images": {
        "type": "array",
        "items": {
          "type": "object",
          "required": [
            "name",
            "width",
            "height"
          ]
        }
      }
    }
  },
  "steps": {
    "each": {
      "title": "Make a thumbnail of each",
      "type": "map",
      "items": "$.job_input.images",
      "branch": {
        "start_step": "measure",
        "steps": {
          "measure": {
            "type": "transform",
            "output": {
              "height": {
                "$expr": "$round(item.height * job_input.width / item.width)"
              }
            },
            "next_step": "usable"
          },
          "usable": {
            "type": "choice",
            "choices": [
              {
                "when": "item.width < job_input.width",
                "next_step": "too_small"
              }
            ],
            "default": "shrink"
          },
          "too_small": {
            "type": "fail",
            "code": "images.too_small",
            "message": "{{item.name}} is {{item.width}} wide"
          },
          "shrink": {
            "transformer_id": "echo-transformer",
            "input_map": {
              "data": "{{item.name}}@{{job_input.width}}x{{measure.output.height}}"
            },
            "next_step": null
          }
        },
        "output_map": {
          "index": "$.index",
          "file": "$.shrink.output.echoed_data"
        }
      },
      "max_concurrency": 2,
      "tolerated_failures": "50%",
      "next_step": null
    }
  },
  "output_map": {
    "thumbnails": {
      "$expr": "[each.output[$ != null].file]"
    },
    "by_item": "$.each.output",
    "unusable": {
      "$expr": "[each.errors.error.message]"
    }
  }
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'order_approval_v1',
  'Asks for approval of an expensive order, with a budget code; cheap ones pass',
  $json${
  "start_step": "expensive",
  "input_schema": {
    "type": "object",
    "required": [
      "item",
      "cents"
    ],
    "properties": {
      "item": {
        "type": "string"
      },
      "cents": {
        "type": "integer",
        "minimum": 1
      },
      "approvers": {
        "type": "array",
        "items": {
          "type": "string"
        },
        "minItems": 1
      }
    }
  },
  "steps": {
    "expensive": {
      "type": "choice",
      "choices": [
        {
          "when": "job_input.cents >= 50000",
          "next_step": "ask"
        }
      ],
      "default": "order"
    },
    "ask": {
      "type": "approval",
      "title": "Order {{job_input.item}}?",
      "details": {
        "item": "$.job_input.item",
        "cents": "$.job_input.cents"
      },
      "assignees": {
        "$expr": "job_input.approvers ?? ['buyers']"
      },
      "allow_self": false,
      "form": {
        "type": "object",
        "required": [
          "budget"
        ],
        "properties": {
          "budget": {
            "type": "string",
            "pattern": "^B-[0-9]+$"
          }
        }
      },
      "timeout_seconds": 604800,
      "on_reject": "rejected",
      "on_timeout": "expired",
      "next_step": "order"
    },
    "order": {
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "item": "$.job_input.item",
          "budget": "$.ask.output.form.budget?"
        }
      },
      "next_step": null
    },
    "rejected": {
      "type": "succeed",
      "output": {
        "ordered": false,
        "by": "$.ask.output.by",
        "notes": "$.ask.output.notes"
      }
    },
    "expired": {
      "type": "fail",
      "code": "orders.nobody_decided",
      "message": "{{ask.error.message}}"
    }
  },
  "output_map": {
    "ordered": true,
    "order": "$.order.output.echoed_data"
  }
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'order_triage_v1',
  'Decides what becomes of an order: refused, shipped at once, or looked at by a person',
  $json${
  "start_step": "add_up",
  "input_schema": {
    "type": "object",
    "required": [
      "order_id",
      "country",
      "items"
    ],
    "properties": {
      "order_id": {
        "type": "string"
      },
      "country": {
        "type": "string",
        "pattern": "^[A-Z]{2}$"
      },
      "items": {
        "type": "array",
        "minItems": 1,
        "items": {
          "type": "object",
          "required": [
            "quantity",
            "unit_cents"
          ],
          "properties": {
            "quantity": {
              "type": "integer",
              "minimum": 1
            },
            "unit_cents": {
              "type": "integer",
              "minimum": 0
            }
          }
        }
      }
    }
  },
  "steps": {
    "add_up": {
      "type": "transform",
      "output": {
        "cents": {
          "$expr": "$sum(job_input.items.(quantity * unit_cents))"
        }
      },
      "next_step": "way"
    },
    "way": {
      "type": "choice",
      "choices": [
        {
          "when": "$not(job_input.country in ['DE', 'FR', 'NL'])",
          "next_step": "refuse"
        },
        {
          "when": "add_up.output.cents >= 100000",
          "next_step": "by_hand"
        }
      ],
      "default": "ship"
    },
    "refuse": {
      "type": "fail",
      "code": "orders.no_delivery",
      "message": "Order {{job_input.order_id}} goes to {{job_input.country}}, where we do not deliver"
    },
    "by_hand": {
      "type": "succeed",
      "output": {
        "order_id": "$.job_input.order_id",
        "handling": "by_hand",
        "cents": "$.add_up.output.cents"
      }
    },
    "ship": {
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": "Label for {{job_input.order_id}} to {{job_input.country}}"
      },
      "next_step": null
    }
  },
  "output_map": {
    "order_id": "$.job_input.order_id",
    "handling": "ship",
    "cents": "$.add_up.output.cents",
    "label": "$.ship.output.echoed_data"
  }
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'order_batch_v1',
  'Has each order of a list handled by order_triage_v1, and counts what came of them',
  $json${
  "start_step": "each",
  "input_schema": {
    "type": "object",
    "required": [
      "orders"
    ],
    "properties": {
      "orders": {
        "type": "array",
        "maxItems": 1000
      }
    }
  },
  "steps": {
    "each": {
      "type": "map",
      "items": "$.job_input.orders",
      "workflow_id": "order_triage_v1",
      "input_map": "$.item",
      "max_concurrency": 0,
      "tolerated_failures": "100%",
      "next_step": "count"
    },
    "count": {
      "type": "transform",
      "output": {
        "shipped": {
          "$expr": "$count(each.output[handling = 'ship'])"
        },
        "by_hand": {
          "$expr": "$count(each.output[handling = 'by_hand'])"
        },
        "refused": {
          "$expr": "[each.errors.{ 'index': index, 'code': error.code }]"
        }
      },
      "next_step": null
    }
  }
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'order_intake_v1',
  'Has an order handled by order_triage_v1, and starts a greeting that nobody waits for',
  $json${
  "start_step": "triage",
  "steps": {
    "triage": {
      "type": "workflow",
      "workflow_id": "order_triage_v1",
      "input_map": "$.job_input.order",
      "timeout_seconds": 300,
      "on_error": "refused",
      "next_step": "greet"
    },
    "greet": {
      "type": "workflow",
      "workflow_id": "hello_v1",
      "detached": true,
      "input_map": {
        "payload": "Thank you for order {{job_input.order.order_id}}"
      },
      "next_step": null
    },
    "refused": {
      "type": "succeed",
      "output": {
        "accepted": false,
        "reason": "$.triage.error.details.children[0].error.message"
      }
    }
  },
  "output_map": {
    "accepted": true,
    "handling": "$.triage.output.handling",
    "greeting_job": "$.greet.output.job_id"
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
  'payment_wait_v1',
  'Holds an order until its payment has come in, and gives it up when none does',
  $json${
  "start_step": "reserve",
  "input_schema": {
    "type": "object",
    "required": [
      "order_id",
      "cents"
    ],
    "properties": {
      "order_id": {
        "type": "string"
      },
      "cents": {
        "type": "integer",
        "minimum": 1
      }
    }
  },
  "steps": {
    "reserve": {
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": "Reserved {{job_input.order_id}}"
      },
      "next_step": "payment"
    },
    "payment": {
      "type": "wait_for_event",
      "event": "payment.received",
      "key": "$.job_input.order_id",
      "match": "event.cents >= job_input.cents",
      "timeout_seconds": 259200,
      "on_timeout": "give_up",
      "next_step": "ship"
    },
    "ship": {
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": "Shipped {{job_input.order_id}}"
      },
      "next_step": null
    },
    "give_up": {
      "type": "succeed",
      "output": {
        "shipped": false,
        "reason": "$.payment.error.message"
      }
    }
  },
  "output_map": {
    "shipped": true,
    "paid_with": "$.payment.output.method"
  }
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'price_list_v1',
  'Labels every article of a list, a few at a time, in the order of the list',
  $json${
  "start_step": "label",
  "input_schema": {
    "type": "object",
    "required": [
      "currency",
      "articles"
    ],
    "properties": {
      "currency": {
        "type": "string"
      },
      "articles": {
        "type": "array",
        "items": {
          "type": "object",
          "required": [
            "name",
            "cents"
          ]
        }
      }
    }
  },
  "steps": {
    "label": {
      "type": "map",
      "items": "$.job_input.articles",
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": {
          "place": {
            "$expr": "index + 1"
          },
          "label": {
            "$expr": "item.name & ': ' & job_input.currency & ' ' & $formatNumber(item.cents / 100, '0.00')"
          }
        }
      },
      "max_concurrency": 5,
      "item_timeout_seconds": 10,
      "retry": {
        "max_retries": 2
      },
      "next_step": null
    }
  },
  "output_map": "$.label.output[*].echoed_data"
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'print_order_v1',
  'Hands an order over to a print shop, which reports back by callback',
  $json${
  "start_step": "print",
  "input_schema": {
    "type": "object",
    "required": [
      "title",
      "copies"
    ],
    "properties": {
      "title": {
        "type": "string"
      },
      "copies": {
        "type": "integer",
        "minimum": 1
      }
    }
  },
  "steps": {
    "print": {
      "transformer_id": "print-shop",
      "input_map": {
        "title": "$.job_input.title",
        "copies": "$.job_input.copies"
      },
      "callback": true,
      "timeout_seconds": 86400,
      "on_error": [
        {
          "errors": [
            "timeout",
            "print.*"
          ],
          "next_step": "not_printed"
        }
      ],
      "next_step": null
    },
    "not_printed": {
      "type": "succeed",
      "output": {
        "printed": 0,
        "reason": "$.print.error.message"
      }
    }
  },
  "output_map": {
    "printed": "$.print.output.copies",
    "tracking": "$.print.output.tracking?"
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

insert into public.workflows (id, description, definition)
values (
  'trial_reminder_v1',
  'Greets who tries a product, reminds them after a while, and says goodbye when the trial ends',
  $json${
  "start_step": "greet",
  "input_schema": {
    "type": "object",
    "required": [
      "name",
      "remind_after_seconds"
    ],
    "properties": {
      "name": {
        "type": "string"
      },
      "remind_after_seconds": {
        "type": "number",
        "minimum": 0
      },
      "ends_at": {
        "type": "string",
        "format": "date-time"
      }
    }
  },
  "steps": {
    "greet": {
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": "Welcome, {{job_input.name}}"
      },
      "next_step": "a_while"
    },
    "a_while": {
      "type": "wait",
      "seconds": "$.job_input.remind_after_seconds",
      "next_step": "remind"
    },
    "remind": {
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": "Still there, {{job_input.name}}?"
      },
      "next_step": "trial_ends"
    },
    "trial_ends": {
      "type": "wait",
      "when": "$exists(job_input.ends_at)",
      "until": "$.job_input.ends_at",
      "next_step": "goodbye"
    },
    "goodbye": {
      "transformer_id": "echo-transformer",
      "input_map": {
        "data": "Your trial has ended, {{job_input.name}}"
      },
      "next_step": null
    }
  },
  "output_map": [
    "$.greet.output.echoed_data",
    "$.remind.output.echoed_data",
    "$.goodbye.output.echoed_data"
  ]
}$json$
)
on conflict (id) do nothing;

insert into public.workflows (id, description, definition)
values (
  'trip_quote_v1',
  'Asks for train and hotel at the same time, and adds their prices up',
  $json${
  "start_step": "ask",
  "input_schema": {
    "type": "object",
    "required": [
      "from",
      "to",
      "nights",
      "fares",
      "rates"
    ],
    "properties": {
      "from": {
        "type": "string"
      },
      "to": {
        "type": "string"
      },
      "nights": {
        "type": "integer",
        "minimum": 1
      },
      "fares": {
        "type": "object",
        "description": "Cents by route: \"Berlin-Lyon\""
      },
      "rates": {
        "type": "object",
        "description": "Cents per night by city"
      }
    }
  },
  "steps": {
    "ask": {
      "title": "Ask for both",
      "type": "parallel",
      "branches": {
        "train": {
          "start_step": "route",
          "steps": {
            "route": {
              "type": "transform",
              "output": "{{job_input.from}}-{{job_input.to}}",
              "next_step": "fare"
            },
            "fare": {
              "transformer_id": "echo-transformer",
              "input_map": {
                "data": {
                  "$expr": "$lookup(job_input.fares, route.output) ?? null"
                }
              },
              "next_step": "found"
            },
            "found": {
              "type": "choice",
              "choices": [
                {
                  "when": "fare.output.echoed_data = null",
                  "next_step": "no_train"
                }
              ],
              "default": "priced"
            },
            "priced": {
              "type": "succeed",
              "output": "$.fare.output.echoed_data"
            },
            "no_train": {
              "type": "fail",
              "code": "trips.no_train",
              "message": "There is no train from {{job_input.from}} to {{job_input.to}}"
            }
          }
        },
        "hotel": {
          "start_step": "rate",
          "steps": {
            "rate": {
              "transformer_id": "echo-transformer",
              "input_map": {
                "data": {
                  "$expr": "$lookup(job_input.rates, job_input.to)"
                }
              },
              "next_step": null
            }
          },
          "output_map": {
            "$expr": "rate.output.echoed_data * job_input.nights"
          }
        }
      },
      "timeout_seconds": 60,
      "on_error": [
        {
          "errors": [
            "children_failed",
            "timeout"
          ],
          "next_step": "no_quote"
        }
      ],
      "next_step": "total"
    },
    "total": {
      "type": "transform",
      "output": {
        "train": "$.ask.output.train",
        "hotel": "$.ask.output.hotel",
        "total": {
          "$expr": "ask.output.train + ask.output.hotel"
        }
      },
      "next_step": null
    },
    "no_quote": {
      "type": "succeed",
      "output": {
        "total": null,
        "reason": "$.ask.error.message"
      }
    }
  }
}$json$
)
on conflict (id) do nothing;
