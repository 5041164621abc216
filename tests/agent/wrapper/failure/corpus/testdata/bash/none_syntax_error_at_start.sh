#!/usr/bin/env bash
if then
