; Both grammars read this file, so that no JSX node may stand in it.

(import_statement source: (string (string_fragment) @path)) @import
(import_statement
  (import_clause [(identifier) @as (namespace_import (identifier) @as)])
  source: (string (string_fragment) @path)) @import
(import_statement
  (import_clause (named_imports (import_specifier name: (_) @imported alias: (_)? @as)))
  source: (string (string_fragment) @path)) @import
(import_statement
  (import_require_clause (identifier) @as source: (string (string_fragment) @path))) @import
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
(function_signature name: (_) @name) @def.function
(class_declaration name: (_) @name body: (_) @body) @def.class
(abstract_class_declaration name: (_) @name body: (_) @body) @def.class
(class name: (_)? @name body: (_) @body) @def.class
(interface_declaration name: (_) @name body: (_) @body) @def.interface
(enum_declaration name: (_) @name body: (_) @body) @def.enum
(type_alias_declaration name: (_) @name) @def.type
(internal_module name: (_) @name body: (_) @body) @def.module
(module name: (_) @name body: (_) @body) @def.module

(method_definition name: (_) @name body: (_) @body) @def.method
(method_signature name: (_) @name) @def.method
(abstract_method_signature name: (_) @name) @def.method
(public_field_definition name: (_) @name value: (arrow_function body: (_) @body)) @def.method
(public_field_definition name: (_) @name) @def.field
(interface_body (property_signature name: (_) @name) @def.field)
(enum_body (property_identifier) @name @def.field)
(enum_assignment name: (_) @name) @def.field

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
(export_statement "export" @prefix declaration: [
  (lexical_declaration ["const" "let"] @prefix (variable_declarator name: (identifier) @name) @def.variable)
  (variable_declaration "var" @prefix (variable_declarator name: (identifier) @name) @def.variable)])

;;; tokens

[
  (identifier)
  (type_identifier)
  (property_identifier)
  (private_property_identifier)
  (shorthand_property_identifier)
  (shorthand_property_identifier_pattern)
] @identifier
(comment) @comment
[(string) (template_string) (regex)] @string
(template_substitution) @code
