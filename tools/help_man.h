/*
 * help_man.h — the manual pages, as far as the tables know them: name, synopsis, description, options, an example. What
 * is written by hand for a page (docs/man) is put into these by tools/make-man-pages.
 */
#ifndef TOOLS_HELP_MAN_H
#define TOOLS_HELP_MAN_H

#include "tools/command.h"

void help_man_all(struct out *out); /* settlectl(1) */
void help_man_one(struct out *out, const struct command *command);

#endif
