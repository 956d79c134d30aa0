"""The chat template that a trained checkpoint carries: the same prompts as upstream's, as Jinja.

A content item `{"type": "itn", "itn": false}` asks for verbatim text, which the template on the hub cannot express.
"""

CHAT_TEMPLATE = """\
{%- macro instruction(items) -%}
{%- set ctx = items | selectattr('type', 'equalto', 'text') | map(attribute='text') | list -%}
{%- set words = namespace(all=[]) -%}
{%- for item in items if item['type'] == 'keywords' -%}
{%- set words.all = words.all + item['keywords'] -%}
{%- endfor -%}
{%- set lang = items | selectattr('type', 'equalto', 'language') | map(attribute='language') | first -%}
{%- set itn = items | selectattr('type', 'equalto', 'itn') | map(attribute='itn') | list -%}
{%- if ctx or words.all -%}
{{- '请结合上下文信息，更加准确地完成语音转写任务。如果没有相关信息，我们会留空。\\n\\n\\n**上下文信息：**\\n\\n\\n' -}}
{%- for line in ctx -%}{{- line + '\\n' -}}{%- endfor -%}
{%- if words.all -%}{{- '热词列表：[' + words.all | join(', ') + ']\\n' -}}{%- endif -%}
{%- endif -%}
{{- '语音转写' -}}
{%- if lang is defined -%}{{- '成' + lang -}}{%- endif -%}
{%- if itn and not itn[0] -%}{{- '，不进行文本规整' -}}{%- endif -%}
{{- '：' -}}
{%- endmacro -%}
{%- if messages[0]['role'] != 'system' -%}
{{- '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' -}}
{%- endif -%}
{%- for message in messages -%}
{{- '<|im_start|>' + message['role'] + '\\n' -}}
{%- set body = message['content'] -%}
{%- if message['role'] == 'assistant' -%}
{%- generation -%}
{%- if body is string -%}{{- body -}}{%- else -%}{%- for item in body -%}{{- item['text'] -}}{%- endfor -%}{%- endif -%}
{{- '<|im_end|>' -}}
{%- endgeneration -%}
{{- '\\n' -}}
{%- elif body is string -%}{{- body + '<|im_end|>\\n' -}}
{%- else -%}
{%- set audios = body | selectattr('type', 'equalto', 'audio') | list -%}
{%- if audios -%}
{{- instruction(body) -}}
{%- for item in audios -%}{{- '<|object_ref_start|>' -}}{%- endfor -%}
{%- else -%}
{%- for item in body if item['type'] == 'text' -%}{{- item['text'] -}}{%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}
"""
