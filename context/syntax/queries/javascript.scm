(import_statement source: (string (string_fragment) @path)) @import
(import_statement
  (import_clause [(identifier) @as (namespace_import (identifier) @as)])
  source: (string (string_fragment) @path)) @import
(import_statement
  (import_clause (named_imports (import_specifier name: (_) @imported alias: (_)? @as)))
  source: (string (string_fragment) @path)) @import
(export_statement
  (export_clause (export_specifier name: (_) @imported alias: (_)? @as))
  source: (string (string_fragment) @path)) @import
(export_statement "*" @imported source: (string (string_fragment) @path)) @import
(variable_declarator
  name: (identifier) @as
  value: (call_expression
    function: (identifier) @is
    arguments: (arguments . (string (string_fragment) @path)))
  (#eq? @is "require")) @import
(variable_declarator
  name: (object_pattern [
    (shorthand_property_identifier_pattern) @imported
    (pair_pattern key: (_) @imported value: (identifier) @as)])
  value: (call_expression
    function: (identifier) @is
    arguments: (arguments . (string (string_fragment) @path)))
  (#eq? @is "require")) @import
(call_expression
  function: (identifier) @is
  arguments: (arguments . (string (string_fragment) @path))
  (#eq? @is "require")) @import
(call_expression
  function: (import)
  arguments: (arguments . (string (string_fragment) @path))) @import

(export_statement "export" @prefix "default"? @prefix declaration: (_) @def)
(function_declaration name: (_) @name body: (_) @body) @def.function
(generator_function_declaration name: (_) @name body: (_) @body) @def.function
(class_declaration name: (_) @name body: (_) @body) @def.class
(class name: (_)? @name body: (_) @body) @def.class
(method_definition name: (_) @name body: (_) @body) @def.method
(field_definition property: (_) @name value: (arrow_function body: (_) @body)) @def.method
(field_definition property: (_) @name) @def.field

(variable_declarator name: (identifier) @name value: [
  (arrow_function body: (_) @body)
  (function_expression body: (_) @body)]) @def.function
(assignment_expression left: [(identifier) @name (member_expression object: (_) @receiver property: (_) @name)] right: [
  (arrow_function body: (_) @body)
  (function_expression body: (_) @body)]) @def.function
(pair key: (_) @name value: [
  (arrow_function body: (_) @body)
  (function_expression body: (_) @body)]) @def.function
(arrow_function body: (_) @body) @def.closure
(function_expression body: (_) @body) @def.closure

(program [
  (lexical_declaration ["const" "let"] @prefix (variable_declarator name: (identifier) @name) @def.variable)
  (variable_declaration "var" @prefix (variable_declarator name: (identifier) @name) @def.variable)])
(program (export_statement "export" @prefix declaration: [
  (lexical_declaration ["const" "let"] @prefix (variable_declarator name: (identifier) @name) @def.variable)
  (variable_declaration "var" @prefix (variable_declarator name: (identifier) @name) @def.variable)]))

;;; tokens

[
  (identifier)
  (property_identifier)
  (private_property_identifier)
  (shorthand_property_identifier)
  (shorthand_property_identifier_pattern)
] @identifier
(comment) @comment
[(string) (template_string) (regex)] @string
(template_substitution) @code
