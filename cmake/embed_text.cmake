# Writes a C file that defines `const char NAME[]`: the contents of TEXT and a NUL, as numbers,
# since C11 promises only 4095 characters of a string. Run with -DTEXT= -DNAME= -DOUTPUT=.
file(READ "${TEXT}" hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," numbers "${hex}")
string(REPEAT "0x..," 16 line)
string(REGEX REPLACE "(${line})" "\\1\n" numbers "${numbers}")
get_filename_component(file_name "${TEXT}" NAME)
file(WRITE "${OUTPUT}" "/* Made from ${file_name}. */
extern const char ${NAME}[];
const char ${NAME}[] = {
${numbers}0x00
};
")
