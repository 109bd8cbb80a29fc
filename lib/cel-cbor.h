/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Data items of CBOR, as cel-cbor-item.c takes them apart for cel-cbor.c. */
#ifndef IMALOG_CEL_CBOR_H
#define IMALOG_CEL_CBOR_H

#include "cel.h"

enum imalog_cbor_kind {
	IMALOG_CBOR_UINT,
	IMALOG_CBOR_BYTES,
	IMALOG_CBOR_TEXT,
	IMALOG_CBOR_ARRAY_HEAD,
	IMALOG_CBOR_MAP_HEAD,
	IMALOG_CBOR_BREAK,
	IMALOG_CBOR_NULL_VALUE,
	IMALOG_CBOR_OTHER
};

/* One data item, or the head of one that has others in it */
struct imalog_cbor_item {
	enum imalog_cbor_kind kind;
	uint64_t value;		  /* a number, or how many items follow */
	struct imalog_span bytes; /* of a string */
	bool endless;		  /* an array or a map that a break ends */
};

/* A record that is taken apart, which may not be there to its end */
struct imalog_cbor_parse {
	struct imalog_span left;
	size_t total;
	size_t items;
	size_t need; /* bytes of the record that are needed to get on */
	const char *part;
	struct imalog_error *error;
};

/* Each returns 1, 0 when more bytes are needed, or a negative code. */
int imalog_cbor_next(struct imalog_cbor_parse *parse, struct imalog_cbor_item *item);
/* The next item, which must be of this kind; @part is for messages. */
int imalog_cbor_get(struct imalog_cbor_parse *parse, const char *part,
		    enum imalog_cbor_kind kind, struct imalog_cbor_item *item);
/* 2 when one more entry of an array or a map follows; 1 at its end, whose break it takes.
 */
int imalog_cbor_has_more(struct imalog_cbor_parse *parse, struct imalog_cbor_item *head);
/* Passes one item with all that is in it. */
int imalog_cbor_skip(struct imalog_cbor_parse *parse, int depth);
int imalog_cbor_bad(const struct imalog_cbor_parse *parse, const char *what);

/* A map of 0 and 1, in this order */
struct imalog_cbor_pair {
	enum imalog_cbor_kind kinds[2];
	struct imalog_cbor_item items[2];
};

int imalog_cbor_pair(struct imalog_cbor_parse *parse, const char *part,
		     struct imalog_cbor_pair *pair);

#endif /* IMALOG_CEL_CBOR_H */
