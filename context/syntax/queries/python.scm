(import_statement name: (dotted_name) @path) @import
(import_statement name: (aliased_import name: (_) @path alias: (_) @as)) @import
(import_from_statement module_name: (_) @path name: (dotted_name) @imported) @import
(import_from_statement module_name: (_) @path
  name: (aliased_import name: (_) @imported alias: (_) @as)) @import
(import_from_statement module_name: (_) @path (wildcard_import) @imported) @import
(future_import_statement "__future__" @path name: (dotted_name) @imported) @import

(decorated_definition (decorator) @prefix definition: (_) @def)
(function_definition name: (_) @name body: (_) @body) @def.function
(class_definition name: (_) @name body: (_) @body) @def.class
(lambda body: (_) @body) @def.closure

(module (expression_statement (assignment left: (identifier) @name) @def.variable))
(class_definition body: (block (expression_statement (assignment left: (identifier) @name) @def.field)))

;;; tokens

(identifier) @identifier
(comment) @comment
(string) @string
(interpolation) @code
