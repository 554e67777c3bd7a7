/* xml_check.h - whether a text is well-formed XML, as far as our pictures and pages go.
 *
 * Use:      xml_check(svg);      // fails the test, with what is around the place
 * Checks:   elements are closed, in order; attributes have names, and values in double quotes; '&'
 *           begins one of the four entities that we write; no '<' in a value; no control
 *           characters but line ends; UTF-8. <!DOCTYPE html> is passed over; there are no comments.
 */
#ifndef TESTS_SUPPORT_XML_CHECK_H
#define TESTS_SUPPORT_XML_CHECK_H

void xml_check(const char *text);

#endif
