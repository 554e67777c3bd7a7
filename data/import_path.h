/* import_path.h - parts of the path of a file that is imported, and files beside it.
 *
 * Use:      struct text_span name = import_path_stem("data/beach.csv.gz");    // "beach"
 *           SCOPED(mem) char *comments = import_path_beside(path, "comments.csv");
 *           if (!comments) { return err_oom(err, "path"); }
 * Threads:  no state.
 */
#ifndef DATA_IMPORT_PATH_H
#define DATA_IMPORT_PATH_H

#include "data/text_span.h"

/* The name without folder, ".gz" and extension; "items" for standard input. Borrowed from `path`,
 * or static. */
struct text_span import_path_stem(const char *path);

/* The name of the folder that holds the file, without the path to it: "b" of "a/b/c.csv"; of
 * "c.csv" none. Borrowed. */
struct text_span import_path_folder_name(const char *path);

/* The path of a file called `name` in the folder of `path`; `name` itself if it begins with '/'.
 * Owned (mem_free); NULL without memory. */
char *import_path_beside(const char *path, const char *name);

/* "<folder>/<name>"; owned; NULL without memory. */
char *import_path_in(const char *folder, const char *name);

#endif
