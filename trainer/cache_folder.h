/* cache_folder.h - where this user's downloads are kept between checkouts.
 *
 * Source:   the same choice as scripts/setup.sh and cmake/torch.cmake: $ACCORD_CACHE, else
 *           $XDG_CACHE_HOME/accord, else $HOME/.cache/accord.
 * Threads:  no state; reads the environment.
 */
#ifndef TRAINER_CACHE_FOLDER_H
#define TRAINER_CACHE_FOLDER_H

#include <limits.h>

/* The folder, which need not exist; "" when the environment names none or it is too long. */
void cache_folder(char out[PATH_MAX]);

#endif
