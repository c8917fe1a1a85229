(import_declaration [(scoped_identifier) (identifier)] @path (asterisk)? @imported) @import

(class_declaration name: (_) @name body: (_) @body) @def.class
(record_declaration name: (_) @name body: (_) @body) @def.class
(interface_declaration name: (_) @name body: (_) @body) @def.interface
(annotation_type_declaration name: (_) @name body: (_) @body) @def.interface
(enum_declaration name: (_) @name body: (_) @body) @def.enum
(method_declaration name: (_) @name body: (_)? @body) @def.method
(constructor_declaration name: (_) @name body: (_) @body) @def.method
(compact_constructor_declaration name: (_) @name body: (_) @body) @def.method
(annotation_type_element_declaration name: (_) @name) @def.method
(lambda_expression body: (_) @body) @def.closure
(field_declaration declarator: (variable_declarator name: (_) @name)) @def.field
(constant_declaration declarator: (variable_declarator name: (_) @name)) @def.field
(enum_constant name: (_) @name) @def.field

;;; tokens

[(identifier) (type_identifier)] @identifier
[(line_comment) (block_comment)] @comment
[(string_literal) (character_literal)] @string
(string_interpolation) @code
