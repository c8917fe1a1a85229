(import_spec name: (_)? @as path: (_) @path) @import

(function_declaration name: (_) @name body: (block)? @body) @def.function
(method_declaration
  receiver: (parameter_list (parameter_declaration type: [
    (type_identifier) @receiver
    (generic_type type: (_) @receiver)
    (pointer_type (type_identifier) @receiver)
    (pointer_type (generic_type type: (_) @receiver))]))
  name: (_) @name
  body: (block)? @body) @def.method
(func_literal body: (_) @body) @def.closure

(type_declaration "type" @prefix [(type_spec) (type_alias)] @def)
(type_spec name: (_) @name type: (struct_type (field_declaration_list) @body)) @def.struct
(type_spec name: (_) @name type: (interface_type "{" @body)) @def.interface
(type_spec name: (_) @name) @def.type
(type_alias name: (_) @name) @def.type
(field_declaration name: (_) @name) @def.field
(method_elem name: (_) @name) @def.method

(source_file (const_declaration "const" @prefix (const_spec name: (identifier) @name) @def.constant))
(source_file (var_declaration "var" @prefix (var_spec name: (identifier) @name) @def.variable))
(source_file (var_declaration "var" @prefix (var_spec_list (var_spec name: (identifier) @name) @def.variable)))

;;; tokens

[(identifier) (field_identifier) (type_identifier) (package_identifier)] @identifier
(comment) @comment
[(interpreted_string_literal) (raw_string_literal) (rune_literal)] @string
