(preproc_include path: (_) @path) @import
(using_declaration (qualified_identifier scope: (_) @path name: (_) @imported)) @import

(preproc_def name: (_) @name) @def.macro
(preproc_function_def name: (_) @name value: (_)? @body) @def.macro

(template_declaration "template" @prefix parameters: (_) @prefix (_) @def)
(namespace_definition name: (_)? @name body: (_) @body) @def.module
(function_definition declarator: [
  (function_declarator declarator: (qualified_identifier scope: (_) @receiver name: (_) @name))
  (pointer_declarator declarator: (function_declarator declarator: (qualified_identifier scope: (_) @receiver name: (_) @name)))
  (reference_declarator (function_declarator declarator: (qualified_identifier scope: (_) @receiver name: (_) @name)))]
  body: (_) @body) @def.method
(function_definition declarator: [
  (function_declarator declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name)
  (pointer_declarator declarator: (function_declarator declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name))
  (pointer_declarator declarator: (pointer_declarator declarator: (function_declarator declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name)))
  (reference_declarator (function_declarator declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name))
  (operator_cast) @name]
  body: (_)? @body) @def.function
(declaration declarator: [
  (function_declarator declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name)
  (pointer_declarator declarator: (function_declarator declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name))
  (reference_declarator (function_declarator declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name))]) @def.function
(field_declaration declarator: [
  (function_declarator declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name)
  (pointer_declarator declarator: (function_declarator declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name))
  (reference_declarator (function_declarator declarator: [(identifier) (field_identifier) (destructor_name) (operator_name)] @name))]) @def.method
(lambda_expression body: (_) @body) @def.closure

(type_definition type: [
  (struct_specifier body: (_) @body)
  (union_specifier body: (_) @body)] declarator: (type_identifier) @name) @def.struct
(type_definition type: (enum_specifier body: (_) @body) declarator: (type_identifier) @name) @def.enum
(type_definition declarator: (type_identifier) @name) @def.type
(alias_declaration name: (_) @name) @def.type
(concept_definition name: (_) @name) @def.type
(class_specifier name: (_) @name body: (_) @body) @def.class
(struct_specifier name: (_) @name body: (_) @body) @def.struct
(union_specifier name: (_) @name body: (_) @body) @def.struct
(enum_specifier name: (_) @name body: (_) @body) @def.enum
(field_declaration declarator: [
  (field_identifier) @name
  (pointer_declarator declarator: (field_identifier) @name)
  (reference_declarator (field_identifier) @name)
  (array_declarator declarator: (field_identifier) @name)]) @def.field
(enumerator name: (_) @name) @def.field

(declaration declarator: [
  (identifier) @name
  (pointer_declarator declarator: (identifier) @name)
  (reference_declarator (identifier) @name)
  (array_declarator declarator: (identifier) @name)
  (init_declarator declarator: [
    (identifier) @name
    (pointer_declarator declarator: (identifier) @name)
    (reference_declarator (identifier) @name)
    (array_declarator declarator: (identifier) @name)])]) @def.variable

;;; tokens

[(identifier) (type_identifier) (field_identifier) (namespace_identifier)] @identifier
(comment) @comment
[(string_literal) (raw_string_literal) (char_literal) (system_lib_string)] @string
