/* Prints a table of strings: aligned, raw or JSON, flat or as a tree drawn into one column. */
#ifndef LSNS_TABLE_H
#define LSNS_TABLE_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 64, NO_ROW = -1 };

struct column {
    const char *name, *help;
    bool number; /* aligned to the right, and unquoted in JSON */
};

struct row {
    char *cells[MAX_COLUMNS]; /* NULL: no value */
    long parent;              /* the row above it in the tree, or NO_ROW */
    long child, next;         /* its first child; the next child of its parent */
    bool placed;
};

struct table {
    const char *title; /* the name of the list in JSON */
    const struct column *columns[MAX_COLUMNS];
    size_t width, length;
    struct row *rows;
    int lines; /* the column that the tree is drawn into, or -1 */
    bool heading, nested, wrap;
    size_t screen; /* the maximal number of characters in a line, or 0 */
};

/* Returns the bytes of the character that starts here, or 0 if it is not UTF-8. */
static size_t character(const char *text)
{
    const unsigned char *byte = (const unsigned char *)text;
    size_t len = *byte < 0x80 ? 1 : *byte < 0xC2 ? 0 : *byte < 0xE0 ? 2 : *byte < 0xF0 ? 3 : *byte < 0xF5 ? 4 : 0;
    for (size_t i = 1; i < len; i++)
        if ((byte[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

static size_t characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += (*text & 0xC0) != 0x80;
    return count;
}

/* Returns the text without characters that could harm a terminal. In raw output, blanks are escaped
 * too, because they separate cells. */
static char *printable(const char *text, bool raw)
{
    char *safe = malloc(4 * strlen(text) + 1), *to = safe;
    while (safe && *text) {
        size_t len = character(text);
        bool plain = len > 1 || (len == 1 && !iscntrl((unsigned char)*text) && !(raw && (*text == ' ' || *text == '\\')));
        if (plain) {
            memcpy(to, text, len);
            to += len;
            text += len;
        } else {
            to += sprintf(to, "\\x%02x", (unsigned char)*text++);
        }
    }
    if (safe)
        *to = '\0';
    return safe;
}

static void quoted(const char *text)
{
    putchar('"');
    while (*text) {
        size_t len = character(text);
        if (len == 0 || iscntrl((unsigned char)*text))
            printf("\\u%04x", (unsigned char)*text++);
        else if (*text == '"' || *text == '\\')
            printf("\\%c", *text++);
        else
            for (; len > 0; len--)
                putchar(*text++);
    }
    putchar('"');
}

/* Attaches each row to its parent, in the order of the rows. */
static void hang(struct table *table)
{
    for (size_t i = 0; i < table->length; i++)
        table->rows[i].child = table->rows[i].next = NO_ROW;
    for (long i = (long)table->length - 1; i >= 0; i--) {
        struct row *row = &table->rows[i];
        if (row->parent == i)
            row->parent = NO_ROW;
        if (row->parent != NO_ROW) {
            row->next = table->rows[row->parent].child;
            table->rows[row->parent].child = i;
        }
    }
}

/* Prints one row as a line, or as several lines if a cell has several. */
static void line(const struct table *table, char *const *cells, const size_t *widths)
{
    bool more = true;
    for (size_t nth = 0; more; nth++) {
        size_t shown = 0, blanks = 0;
        more = false;
        for (size_t i = 0; i < table->width; i++) {
            const char *cell = cells[i] ? cells[i] : "";
            for (size_t skip = 0; skip < nth && *cell; skip++)
                cell += strcspn(cell, "\n") + (cell[strcspn(cell, "\n")] == '\n');
            size_t bytes = strcspn(cell, "\n"), count = 0;
            more |= cell[bytes] == '\n';
            for (size_t at = 0; at < bytes; at++)
                count += (cell[at] & 0xC0) != 0x80;
            size_t pad = widths[i] - count;
            blanks += table->columns[i]->number ? pad : 0;
            for (size_t at = 0; at < bytes; at++) {
                bool starts = (cell[at] & 0xC0) != 0x80;
                for (; starts && blanks > 0; blanks--, shown++)
                    if (table->screen == 0 || shown < table->screen)
                        putchar(' ');
                shown += starts;
                if (table->screen == 0 || shown <= table->screen)
                    putchar(cell[at]);
            }
            blanks += (table->columns[i]->number ? 0 : pad) + 1;
        }
        putchar('\n');
    }
}

/* Appends the rows from `first` on, and their descendants, to `order`. Draws the lines of the
 * tree. */
static void place(struct table *table, long first, const char *stem, long *order, size_t *count)
{
    for (long i = first; i != NO_ROW; i = stem ? table->rows[i].next : NO_ROW) {
        struct row *row = &table->rows[i];
        if (row->placed)
            continue;
        row->placed = true;
        order[(*count)++] = i;
        bool last = row->next == NO_ROW;
        size_t room = (stem ? strlen(stem) : 0) + 8;
        char *below = malloc(room);
        if (!below)
            abort();
        snprintf(below, room, "%s%s", stem ? stem : "", !stem ? "" : last ? "  " : "│ ");
        if (stem && table->lines >= 0) {
            char **cell = &row->cells[table->lines], *old = *cell ? *cell : strdup("");
            size_t size = room + strlen(old) + 8;
            *cell = malloc(size);
            if (!*cell)
                abort();
            snprintf(*cell, size, "%s%s%s", stem, last ? "└─" : "├─", old);
            free(old);
        }
        place(table, row->child, below, order, count);
        free(below);
    }
}

static void print_lines(struct table *table, bool raw)
{
    size_t widths[MAX_COLUMNS], count = 0;
    long *order = calloc(table->length + 1, sizeof *order);
    char *names[MAX_COLUMNS];

    if (!order)
        abort();
    for (size_t i = 0; i < table->length; i++)
        for (size_t c = 0; c < table->width; c++) {
            char **cell = &table->rows[i].cells[c], *old = *cell;
            /* Cells of several lines are lists of paths, so their newlines stay. */
            if (old && (raw || !strchr(old, '\n'))) {
                *cell = printable(old, raw);
                free(old);
            }
        }
    for (size_t i = 0; i < table->length; i++)
        if (table->rows[i].parent == NO_ROW)
            place(table, (long)i, NULL, order, &count);
    /* If processes got new parents during the listing, rows may form a cycle. They are placed
     * too. */
    for (size_t i = 0; i < table->length; i++)
        if (!table->rows[i].placed)
            place(table, (long)i, NULL, order, &count);
    for (size_t c = 0; c < table->width; c++) {
        names[c] = (char *)table->columns[c]->name;
        widths[c] = raw || !table->heading ? 0 : strlen(names[c]);
        for (size_t i = 0; !raw && i < table->length; i++) {
            const char *cell = table->rows[i].cells[c];
            while (cell && *cell) {
                char *end = strchrnul(cell, '\n'), kept = *end;
                *end = '\0';
                size_t len = characters(cell);
                widths[c] = len > widths[c] ? len : widths[c];
                *end = kept;
                cell = kept ? end + 1 : end;
            }
        }
    }
    for (size_t i = 0; i < count + (table->heading ? 1 : 0); i++) {
        char *const *cells = !table->heading  ? table->rows[order[i]].cells
                             : i == 0         ? names
                                              : table->rows[order[i - 1]].cells;
        if (!raw) {
            line(table, cells, widths);
            continue;
        }
        for (size_t c = 0; c < table->width; c++)
            printf("%s%s", c ? " " : "", cells[c] ? cells[c] : "");
        putchar('\n');
    }
    free(order);
}

static void print_object(const struct table *table, long index, int depth)
{
    const struct row *row = &table->rows[index];
    printf("{");
    for (size_t c = 0; c < table->width; c++) {
        const char *cell = row->cells[c];
        printf("%s\n%*s\"", c ? "," : "", 3 * (depth + 1), "");
        for (const char *name = table->columns[c]->name; *name; name++)
            putchar(tolower((unsigned char)*name));
        printf("\": ");
        if (!cell)
            printf("null");
        else if (table->columns[c]->number)
            printf("%s", cell);
        else
            quoted(cell);
    }
    if (table->nested && row->child != NO_ROW) {
        printf(",\n%*s\"children\": [", 3 * (depth + 1), "");
        for (long i = row->child; i != NO_ROW; i = table->rows[i].next) {
            printf("%s\n%*s", i == row->child ? "" : ",", 3 * (depth + 2), "");
            print_object(table, i, depth + 2);
        }
        printf("\n%*s]", 3 * (depth + 1), "");
    }
    printf("\n%*s}", 3 * depth, "");
}

static void print_json(const struct table *table)
{
    bool first = true;
    printf("{\n   \"%s\": [", table->title);
    for (size_t i = 0; i < table->length; i++)
        if (!table->nested || table->rows[i].parent == NO_ROW) {
            printf("%s\n      ", first ? "" : ",");
            print_object(table, (long)i, 2);
            first = false;
        }
    printf("\n   ]\n}\n");
}

#endif
