(use_declaration argument: [(identifier) (crate)] @path) @import
(use_declaration argument: (scoped_identifier path: (_) @path name: (_) @imported)) @import
(use_declaration argument: (use_as_clause path: (scoped_identifier path: (_) @path name: (_) @imported) alias: (_) @as)) @import
(use_declaration argument: (use_as_clause path: (identifier) @path alias: (_) @as)) @import
(use_declaration argument: (use_wildcard (_) @path "*" @imported)) @import
(use_declaration argument: (scoped_use_list path: (_) @path list: (use_list [
  (use_as_clause path: (_) @imported alias: (_) @as)
  (identifier) @imported
  (self) @imported
  (scoped_identifier) @imported
  (scoped_use_list) @imported
  (use_wildcard) @imported]))) @import
(mod_item name: (_) @path !body) @import
(extern_crate_declaration name: (_) @path alias: (_)? @as) @import

(function_item name: (_) @name body: (_) @body) @def.function
(function_signature_item name: (_) @name) @def.function
(closure_expression body: (_) @body) @def.closure
(struct_item name: (_) @name body: (field_declaration_list) @body) @def.struct
(struct_item name: (_) @name) @def.struct
(union_item name: (_) @name body: (_) @body) @def.struct
(enum_item name: (_) @name body: (_) @body) @def.enum
(trait_item name: (_) @name body: (_) @body) @def.trait
(impl_item
  type: [
    (type_identifier) @name
    (primitive_type) @name
    (scoped_type_identifier) @name
    (generic_type type: (_) @name)
    (reference_type) @name
    (array_type) @name
    (tuple_type) @name
    (dynamic_type) @name]
  body: (_) @body) @def.impl
(mod_item name: (_) @name body: (_) @body) @def.module
(type_item name: (_) @name) @def.type
(associated_type name: (_) @name) @def.type
(macro_definition name: (_) @name . ["(" "{" "["] @body) @def.macro
(field_declaration name: (_) @name) @def.field
(enum_variant name: (_) @name) @def.field
(const_item name: (_) @name) @def.constant
(static_item name: (_) @name) @def.variable

;;; tokens

[(identifier) (type_identifier) (field_identifier) (shorthand_field_identifier)] @identifier
[(line_comment) (block_comment)] @comment
[(string_literal) (raw_string_literal) (char_literal)] @string
