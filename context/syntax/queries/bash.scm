(command name: (command_name (word) @is) . argument: (_) @path (#eq? @is "source")) @import
(command name: (command_name (word) @is) . argument: (_) @path (#eq? @is ".")) @import

(function_definition name: (_) @name body: (_) @body) @def.function
(program (variable_assignment name: (variable_name) @name) @def.variable)
(program (declaration_command _ @prefix (variable_assignment name: (variable_name) @name) @def.variable))

;;; tokens

[(variable_name) (command_name)] @identifier
(comment) @comment
[(string) (raw_string) (ansi_c_string) (heredoc_body) (regex)] @string
[(command_substitution) (expansion) (simple_expansion)] @code
