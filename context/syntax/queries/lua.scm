(variable_declaration
  name: (variable_declarator) @as
  value: (function_call prefix: (identifier) @is
    args: [(function_arguments . (string) @path) (string_argument) @path])
  (#eq? @is "require")) @import
(function_call prefix: (identifier) @is
  args: [(function_arguments . (string) @path) (string_argument) @path]
  (#eq? @is "require")) @import

(function_statement name: (identifier) @name (function_body)? @body) @def.function
(function_statement
  name: (function_name (identifier) @receiver . [(table_dot) (table_colon)] . (identifier) @name .)
  (function_body)? @body) @def.method
(variable_declaration
  name: (variable_declarator . (identifier) @name .)
  value: (function (function_body)? @body)) @def.function
(variable_declaration
  name: (variable_declarator (identifier) @receiver . (identifier) @name .)
  value: (function (function_body)? @body)) @def.method
(field name: (_) @name value: (function (function_body)? @body)) @def.function
(function (function_body) @body) @def.closure
(program (variable_declaration name: (variable_declarator . (identifier) @name .)) @def.variable)
(program (variable_declaration
  name: (variable_declarator (identifier) @receiver . (identifier) @name .)) @def.variable)

;;; tokens

(identifier) @identifier
(comment) @comment
[(string) (string_argument)] @string
